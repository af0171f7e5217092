/** The table of settings: a row is all that a setting needs, and settings are resolved once. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { z } from "zod";
import { toOption } from "../src/cli/program.ts";
import { optionsOf } from "../src/cli/trainingOptions.ts";
import { ConfigError } from "../src/errors.ts";
import { refuseChanges } from "../src/settings/changes.ts";
import { withOverrides } from "../src/settings/overrides.ts";
import { loadingOf, runConfigSchemaOf, settingRows } from "../src/settings/runConfig.ts";
import {
  at,
  choicesOf,
  flagOf,
  isArgument,
  readText,
  replaced,
  type Setting,
  type SettingTable,
  setting,
} from "../src/settings/setting.ts";
import { settings } from "../src/settings/settings.ts";
import { readSettingsFile } from "../src/settings/settingsFile.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { findRecipe } from "../src/training/recipe.ts";
import { sweepBaseSchema } from "../src/tuning/sweepPlan.ts";
import { codeOnly, importsOf, sourceFiles } from "./sourceFiles.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

const added = {
  greyShare: setting({
    schema: z.number().min(0).max(1),
    value: "<x>",
    help: "fraction of images to make grey",
    section: "Data",
    commands: ["train", "sweep"],
    place: "dataset.greyShare",
  }),
  floor: setting({
    schema: z.number().min(0).lt(1),
    value: "<x>",
    help: "learning rate at the end of a cosine",
    section: "Schedule",
    commands: ["train", "sweep", "lr-find"],
    place: "recipe.schedule.floor",
  }),
};
const table = { ...settings, ...added };
const rows: SettingTable = settings;

let folder: string;
let stored: Record<string, unknown>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-settings-"));
  await writeTinyDataset(folder, { train: 32, test: 10 });
  const run = join(folder, "run");
  await trainClassifier({ run, dataDir: folder, network: tinyNetwork, threads: 1, epochs: 1, schedule: "cosine" });
  stored = JSON.parse(await readFile(join(run, "config.json"), "utf8"));
});
after(() => rm(folder, { recursive: true }));

test("a row added to the table is a flag with its bounds, of the commands that offer it", () => {
  const option = optionsOf(table, "train").find(({ flags }) => flags === "--grey-share <x>");
  assert.ok(option?.parse);
  assert.equal(option.parse("0.5"), 0.5);
  assert.throws(() => option.parse?.("2"), /^ConfigError: expected a number from 0 to 1, got "2"$/);
  assert.match(toOption(option, "train").helpGroupHeading ?? "", /^Data/);
  const offered = (command: "lr-find" | "augment") => optionsOf(table, command).map(({ flags }) => flags);
  assert.ok(offered("lr-find").includes("--floor <x>"));
  assert.ok(!offered("lr-find").includes("--grey-share <x>"));
  assert.ok(!offered("augment").includes("--floor <x>"));
});

test("… it is a setting of sweeps, with the same bounds", () => {
  const schema = sweepBaseSchema(table);
  assert.deepEqual(schema.parse({ greyShare: 0.5, floor: 0.25 }), { greyShare: 0.5, floor: 0.25 });
  assert.throws(() => schema.parse({ greyShare: 2 }), /greyShare/);
  assert.throws(() => sweepBaseSchema(settings).parse({ greyShare: 0.5 }), /greyShare/);
});

test("… it is in config.json, in the report and in a file for --config", async () => {
  assert.deepEqual(loadingOf({ greyShare: 0.5, epochs: 2 }, table), { greyShare: 0.5 });
  const json = replaced(stored, "dataset.greyShare", 0.5);
  const config = runConfigSchemaOf(table).parse(json);
  assert.equal(at(config, "dataset.greyShare"), 0.5);
  assert.equal(at(runConfigSchemaOf(settings).parse(json), "dataset.greyShare"), undefined);
  assert.deepEqual(settingRows(config, "dataset", table), [["grey share", "0.5"]]);
  const file = join(folder, "with-row.json");
  await writeFile(file, JSON.stringify(json));
  const { settings: read, messages } = await readSettingsFile(file, { greyShare: 0.75, floor: 0.5 } as object, table);
  assert.equal(at(read, "greyShare"), 0.75);
  assert.deepEqual(messages, [`--grey-share 0.75 overrides 0.5 from ${file}`, `--floor 0.5 overrides 0 from ${file}`]);
  await assert.rejects(readSettingsFile(file, {}), /with-row\.json: unknown dataset\.greyShare/);
});

test("… and resume refuses another value of it", async () => {
  const config = runConfigSchemaOf(table).parse(replaced(stored, "dataset.greyShare", 0.5));
  await refuseChanges({ greyShare: 0.5, floor: 0 }, config, table);
  await assert.rejects(
    refuseChanges({ greyShare: 0.3, floor: 0.1 }, config, table),
    /^ConfigError: resume: --grey-share is 0.3, the run was started with 0.5; --floor is 0.1, the run was started with 0; leave/,
  );
  await assert.rejects(
    refuseChanges({ greyShare: 0.3 }, runConfigSchemaOf(table).parse(stored), table),
    /--grey-share is 0.3, the run was started with none/,
  );
});

test("a value of the recipe goes to its place, after the kind that has it", () => {
  const { schedule } = withOverrides(findRecipe("fashion"), { floor: 0.25, schedule: "cosine" }, {}, table);
  assert.deepEqual(schedule, { kind: "cosine", floor: 0.25 });
  assert.throws(() => withOverrides(findRecipe("fashion"), { floor: 0.25 }, {}, table), /recipe fashion: .*floor/s);
});

test("the text of every flag is checked by the setting's schema, and the message says what it takes", () => {
  const cases: readonly (readonly [
    key: keyof typeof settings,
    taken: readonly string[],
    refused: readonly string[],
    says: string,
  ])[] = [
    ["epochs", ["0.25", "1e-9", "3"], ["0", "-0.5", "many", "", "Infinity", "1,5"], "a number above 0"],
    ["batchSize", ["1", "128", "1e3"], ["0", "-1", "1.5", "", " ", "1x", "NaN"], "a whole number above 0"],
    ["weightDecay", ["0", "0.0005"], ["-1e-9", "", "none", "Infinity"], "a number of 0 or more"],
    ["keptViews", ["0", "7"], ["-1", "0.5"], "a whole number of 0 or more"],
    ["momentum", ["0", "0.9"], ["1", "-0.1", "", "nan"], "a number from 0 up to, not including, 1"],
    ["average", ["0.01", "0.9"], ["0", "1"], "a number above 0 and below 1"],
    [
      "validationShare",
      ["0.01", "0.9"],
      ["0", "1", "-0.1", ""],
      "a number above 0 and below 1, because held-out images",
    ],
    ["seed", ["0", "4294967295"], ["-1", "4294967296", "0.5", ""], "a whole number from 0 to 4294967295"],
  ];
  for (const [key, taken, refused, says] of cases) {
    for (const text of taken) assert.equal(readText(settings[key], text), Number(text), `${key} ${text}`);
    for (const text of refused) {
      assert.throws(
        () => readText(settings[key], text),
        (error) =>
          error instanceof ConfigError &&
          error.message.startsWith(`expected ${says}`) &&
          error.message.endsWith(`got "${text}"`),
        `${key} ${text}`,
      );
    }
  }
  assert.deepEqual(readText(settings.augment, "flip,jitter"), ["flip", "jitter"]);
  assert.deepEqual(readText(settings.augment, "none"), []);
  assert.throws(() => readText(settings.augment, "flop"), /expected some of flip,.*, or none, got "flop"/);
  assert.deepEqual(readText(settings.freeze, "conv1, conv2"), ["conv1", "conv2"]);
  assert.throws(() => readText(settings.freeze, "conv1,,"), /expected comma-separated names, got "conv1,,"/);
});

test("every setting of train is one of sweeps, with a flag, a place, and the same bounds", () => {
  const schema = sweepBaseSchema(settings);
  for (const [key, row] of Object.entries(rows)) {
    if (!row.commands.includes("train")) continue;
    // A sweep trains one network for each trial.
    assert.equal(row.commands.includes("sweep"), !["folds", "fold"].includes(key), key);
    if (!row.commands.includes("sweep")) continue;
    assert.ok(isArgument(row) || flagOf(key, row).startsWith("--"), key);
    assert.ok(schema.safeParse({ [key]: {} }).error?.issues.every(({ path }) => path[0] === key) ?? true);
  }
  assert.throws(() => schema.parse({ validationShare: 0 }), /validationShare/);
  assert.deepEqual(choicesOf(settings.optimizer as Setting), ["sgd", "adam", "adamw", "lars"]);
});

test("the library is told of a value out of bounds, or of the wrong type", async () => {
  await assert.rejects(
    trainClassifier({ validationShare: 0 }),
    /^ConfigError: validationShare: expected a number above 0 and below 1, .*got 0$/,
  );
  await assert.rejects(
    trainClassifier({ threads: 1.5 }),
    /^ConfigError: threads: expected a whole number above 0, got 1.5$/,
  );
  await assert.rejects(
    trainClassifier({ optimizer: "adamm" } as object),
    /^ConfigError: optimizer: expected one of sgd, adam, adamw, lars, got "adamm"$/,
  );
});

/** Files that are called with settings as they are given: each resolves them, once. */
const resolving = [
  "src/cli/commands/train.ts",
  "src/trainer/trainClassifier.ts",
  "src/tuning/augmentPreview.ts",
  "src/tuning/learningRateFinder.ts",
  "src/tuning/sweepPlan.ts",
];
const settingTypes = /\b(?:RunSettings|RecipeOverrides|LoadSettings|TrainOptions|RateFinderOptions|PreviewOptions)\b/;

test("settings are resolved in one place of each way to begin a run", () => {
  const files = sourceFiles("src").filter(
    ({ path }) => !path.endsWith(".test.ts") && !path.startsWith("src/settings/"),
  );
  const importing = files.filter((file) => importsOf(file).some(({ target }) => target === "src/settings/resolve.ts"));
  const calls = importing.map(
    ({ path, text }) => [path, codeOnly(text).match(/(?<![.\w])resolve\(/g)?.length ?? 0] as const,
  );
  assert.deepEqual(
    calls.filter(([, count]) => count > 0),
    resolving.map((path) => [path, 1]),
  );
});

/** Reading a setting by its key from settings as they are given. */
const keys = Object.keys(settings).join("|");
const givenNames = "(?:options|settings|given|flags)";
const reading = [
  new RegExp(`\\b${givenNames}\\??\\.(?:${keys})\\b`),
  new RegExp(`\\{[^{}]*\\b(?:${keys})\\b[^{}]*\\}\\s*(?::|=)\\s*(?:${givenNames}\\b|${settingTypes.source})`),
];

test("no file outside settings/ and cli/ reads settings as they are given", () => {
  const reads = (code: string) => reading.flatMap((pattern) => pattern.exec(code)?.[0] ?? []);
  for (const code of ["f(options.dataDir)", "const { a, epochs = 1 } = given;", "({ threads }: RunSettings) => 1"]) {
    assert.equal(reads(code).length, 1, code);
  }
  assert.deepEqual(reads("const { run } = options; plan.threads; const { epochs } = recipe;"), []);
  const problems = sourceFiles("src")
    .filter(
      ({ path }) => !path.endsWith(".test.ts") && !/^src\/(?:settings|cli)\//.test(path) && path !== "src/index.ts",
    )
    .map(({ path, text }) => ({ path, code: codeOnly(text) }))
    .filter(({ code }) => settingTypes.test(code))
    .flatMap(({ path, code }) =>
      resolving.includes(path)
        ? reads(code).map((found) => `${path}: ${found}`)
        : [`${path}: names a type of settings`],
    );
  assert.deepEqual(problems, []);
});

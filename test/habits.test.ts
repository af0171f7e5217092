/** Habits of people at a terminal: `latest`, `.`, `-`, flags of other tools, mistyped names, hostile names. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { builtCommand, type Outcome, run } from "./command.ts";
import { noise, writePicture } from "./packPictures.ts";
import { tinyNetwork } from "./tinyRuns.ts";

let folder: string;
let bin: string;
const env = () => ({ XDG_CACHE_HOME: join(folder, "cache") });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-habits-"));
  bin = await builtCommand();
  for (const [c, name] of ["=cats", "dogs\u001b[2J", "birds"].entries())
    for (let i = 0; i < 5; i++)
      await writePicture(join(folder, "photos"), `${name}/${i}.png`, noise(15 * c + i, 30, 30, 3));
  const network = { ...tinyNetwork, name: "../../../escaped" };
  await writeFile(join(folder, "evil.json"), JSON.stringify(network));
  for (const directory of [" --run runs/old", " --run runs/new", ""]) {
    const train = `train photos --network evil.json --fit crop --epochs 1 --recipe photos --threads 1${directory}`;
    const { exit, stderr } = await alexnet(train);
    assert.equal(exit, 0, stderr);
  }
  await utimes(join(folder, "runs/old/config.json"), 1000, 1000);
  await utimes(join(folder, "runs/escaped-1/config.json"), 2000, 2000);
});
after(() => rm(folder, { recursive: true }));

function alexnet(args: string, cwd = folder): Promise<Outcome> {
  return run([bin, ...args.split(" ")], { cwd, env: env() });
}

test("the name of a network does not lead out of runs/", async () => {
  assert.deepEqual((await readdir(join(folder, "runs"))).sort(), ["escaped-1", "new", "old"]);
});

test("latest and . stand for the newest run, unless they are a run", async () => {
  const image = join(folder, "photos/birds/0.png");
  for (const [args, cwd, named] of [
    [`predict latest ${image}`, folder, "runs/new"],
    [`predict . ${image}`, folder, "runs/new"],
    [`predict latest ${image}`, join(folder, "runs"), "new"],
  ] as const) {
    const { exit, stderr } = await alexnet(args, cwd);
    assert.equal(exit, 0, stderr);
    assert.match(stderr, new RegExp(`^${args.split(" ")[1]?.replace(".", "\\.")}: ${named}\n`));
  }
  // A newer folder of another program, whose config.json is no run's.
  await mkdir(join(folder, "runs/hub"), { recursive: true });
  await writeFile(join(folder, "runs/hub/config.json"), JSON.stringify({ model_type: "x" }));
  assert.equal((await alexnet(`predict latest ${image}`)).stderr, "latest: runs/new\n");
  await rm(join(folder, "runs/hub"), { recursive: true });
  const inside = await alexnet(`predict . ${image}`, join(folder, "runs/old"));
  assert.deepEqual([inside.exit, inside.stderr], [0, ""]);
  await mkdir(join(folder, "empty"), { recursive: true });
  const none = await alexnet(`predict latest ${image}`, join(folder, "empty"));
  assert.deepEqual(
    [none.exit, none.stderr],
    [2, "alexnet: latest: no run here or in runs/; alexnet train creates one\n"],
  );
});

test("predict - reads standard input", async () => {
  const image = await readFile(join(folder, "photos/birds/0.png"));
  for (const [input, exit, says] of [
    [image, 0, /^$/],
    [Buffer.from("no image"), 1, /^alexnet: standard input: expected a JPEG/],
  ] as const) {
    const child = spawn(process.execPath, [bin, "predict", "runs/new", "-", "--json"], { cwd: folder, stdio: "pipe" });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdin.end(input);
    assert.equal((await once(child, "close"))[0], exit);
    assert.match(stderr, says);
  }
});

test("mistyped names, and flags of other tools, get a suggestion and exit code 2", async () => {
  for (const [args, says] of [
    ["train photos --network alexnet-otw", /unknown \(did you mean alexnet-owt\?\)/],
    ["train photos --recipe photo", /unknown \(did you mean photos\?\)/],
    ["train photoss", /no data set or folder with this name \(did you mean photos\?\)/],
    ["train cifar", /no data set or folder with this name \(did you mean cifar10\?\)/],
    ["train photos --lr 0.1", /unknown option '--lr'\n\(Did you mean --learning-rate\?\)\n$/],
    ["train photos --constructor", /unknown option '--constructor'\n$/],
    ["train photos --model=x", /\(Did you mean --network\?\)\n$/],
    ["train --data photos", /\(Give it as the argument \[dataset\], without a flag\.\)\n$/],
    ["predict --run runs/new a.png", /\(Give it as the argument <run>, without a flag\.\)\n$/],
    ["filters --weights runs/new", /\(Give it as the argument <run>, without a flag\.\)\n$/],
    ["train photos --freeze conv1", /--freeze: requires initial weights; add --from\n$/],
    ["compare runs/new", /compare: expected 2 to 26 runs, got 1\n$/],
  ] as const) {
    const { exit, stderr } = await alexnet(args);
    assert.equal(exit, 2, args);
    assert.match(stderr, says);
  }
});

test("system errors are words with a remedy", async () => {
  await writeFile(join(folder, "file"), "x");
  await writeFile(join(folder, "bom.json"), `\ufeff{"name": 3}`);
  for (const [args, message] of [
    [
      "sweep nope.json",
      "nope.json: expected a sweep (see alexnet sweep --help): no such file or folder; check the path",
    ],
    ["import nope.pth --run x", "nope.pth: cannot be read: no such file or folder; check the path"],
    ["runs file", "file: a file is in the place of a folder; choose another path"],
    [
      "summary bom.json",
      "bom.json: name: expected string, got number\n  input: missing (expected tuple)\n  layers: missing (expected array)",
    ],
  ] as const) {
    const { exit, stderr } = await alexnet(args);
    assert.deepEqual([exit, stderr], [1, `alexnet: ${message}\n`]);
  }
});

test("class names reach no terminal with their escapes, and no spreadsheet as formulas", async () => {
  const shown = await alexnet("evaluate runs/new");
  assert.equal(shown.exit, 0, shown.stderr);
  const json = await alexnet("evaluate runs/new --json");
  const csv = await alexnet("evaluate runs/new --csv -");
  for (const { stdout, stderr } of [shown, json]) assert.equal((stdout + stderr).includes("\u001b"), false);
  assert.ok(JSON.stringify(JSON.parse(json.stdout)).includes("dogs\\u001b[2J"));
  assert.doesNotMatch(csv.stdout, /(^|,)=/m);
  assert.match(csv.stdout, /,'=cats,/);
});

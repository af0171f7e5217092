/**
 * The figures that are kept with the files of a version, by the names of the steps that measure them: each step uses the files through the command
 * line. Longer than other files: it is a table with a step for every use.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Comparison,
  describeDirectory,
  keysOf,
  parseLines,
  withoutFolder,
  writeDataset,
} from "./earlierVersionFiles.ts";
import { makeRun, type RunName, runNames, writeInputs } from "./earlierVersionRuns.ts";
import { runMain } from "./mainOutput.ts";

/** One use of a version's files; `folder` is a copy of them that earlier steps may have changed. */
export interface Step {
  readonly name: string;
  readonly comparison: Comparison;
  measure(folder: string): Promise<unknown>;
}

/** What was measured, by the name of the step. */
export type Figures = Readonly<Record<string, unknown>>;

const reference = ["--engine", "reference", "--threads", "1"];
const oneDnn = ["--engine", "onednn", "--threads", "1"];

/** What a command prints. Paths below the folder are given as `@/path`. */
async function output(folder: string, args: readonly string[], exitCode = 0): Promise<string> {
  const given = args.map((arg) => (arg.startsWith("@/") ? join(folder, arg.slice(2)) : arg));
  const { exit, stdout } = await runMain(...given);
  assert.equal(exit, exitCode, `alexnet ${given.join(" ")}: exit code ${exit}`);
  return withoutFolder(stdout, folder);
}

/** A step that runs a command with `--json`. */
function command(comparison: Comparison, ...args: readonly string[]): Step {
  return {
    name: `${args.join(" ")} --json`,
    comparison,
    measure: async (folder) => JSON.parse(await output(folder, [...args, "--json"])),
  };
}

/** A step that runs a command whose values depend on the machine. */
function keys(...args: readonly string[]): Step {
  const { measure, ...step } = command("exact", ...args);
  return { ...step, measure: async (folder) => keysOf(await measure(folder)) };
}

/** A step that runs a command without it: every line. */
function lines(...args: readonly string[]): Step {
  return {
    name: args.join(" "),
    comparison: "exact",
    measure: async (folder) => (await output(folder, args)).split("\n"),
  };
}

/** Resumes a run. Returns what is printed, and every file of its directory. */
function resume(comparison: Comparison, run: RunName | "older"): Step {
  return {
    name: `train --run @/${run} --resume`,
    comparison,
    async measure(folder) {
      // The data set is where it was not when the run was started.
      const data = run === "folder" ? [] : ["--data-dir", "@/data"];
      const printed = JSON.parse(await output(folder, ["train", "--run", `@/${run}`, "--resume", ...data, "--json"]));
      return { printed, files: await describeDirectory(join(folder, run), folder) };
    },
  };
}

/** Makes a run again, in a folder inside. Returns every file of its directory: their keys are those of that version's. */
function makeAgain(run: RunName): Step {
  return {
    name: `make ${run}`,
    comparison: run === "stoppedOneDnn" ? "close" : "exact",
    async measure(folder) {
      const again = join(folder, "again");
      await mkdir(again, { recursive: true });
      if (run === "first") {
        await writeDataset(again);
        await writeInputs(again);
      }
      if (run === "folder") await cp(join(folder, "photos"), join(again, "photos"), { recursive: true });
      await makeRun(run, again);
      return describeDirectory(join(again, run), again);
    },
  };
}

/** The features of images as a file: its SHA-256. */
const features: Step = {
  name: "predict --features",
  comparison: "exact",
  async measure(folder) {
    const args = ["--features", "relu2", "--output", "@/features.npy"];
    await output(folder, ["predict", "@/first", "@/photos", ...args, ...reference]);
    const sha256 = createHash("sha256")
      .update(await readFile(join(folder, "features.npy")))
      .digest("hex");
    const names: unknown = JSON.parse(
      withoutFolder(await readFile(join(folder, "features.files.json"), "utf8"), folder),
    );
    return { sha256, names };
  },
};

/** The page of a comparison and its charts. */
const comparisonFiles: Step = {
  name: "compare --output",
  comparison: "exact",
  async measure(folder) {
    await output(folder, ["compare", "@/first", "@/tuned", "--output", "@/comparison"]);
    return describeDirectory(join(folder, "comparison"), folder);
  },
};

/** An export's figures, whatever the version's own name and the length of its header. */
function exportAgain(ending: string, ...more: readonly string[]): Step {
  return command("exact", "export", "@/first", "--output", `@/again.${ending}`, ...more);
}

const pictures = ["blue/0.png", "green/1.png", "red/2.png"].map((name) => `@/photos/${name}`);
const exportEndings = ["pth", "onnx", "safetensors"] as const;

/** All steps, in order: the runs are listed and measured as they were, then resumed, then compared. */
export const steps: readonly Step[] = [
  command("exact", "runs", "@/"),
  command("exact", "summary", "@/first"),
  command("exact", "evaluate", "@/first", "--data-dir", "@/data", ...reference),
  command("close", "evaluate", "@/first", "--data-dir", "@/data", ...oneDnn),
  command("exact", "evaluate", "@/older", "--data-dir", "@/data", ...reference),
  command("exact", "evaluate", "@/first", "@/tuned", "--data-dir", "@/data", ...reference),
  command("exact", "evaluate", "@/folder", "--split", "train", "--ten-crop", ...reference),
  lines("evaluate", "@/first", "--data-dir", "@/data", "--limit", "40", "--csv", "-", ...reference),
  command("exact", "predict", "@/first", ...pictures, ...reference),
  command("close", "predict", "@/first", ...pictures, ...oneDnn),
  command("exact", "predict", "@/imported", ...pictures, ...reference),
  command("exact", "predict", "@/folder", ...pictures, ...reference),
  lines("predict", "@/folder", "@/photos", "--csv", "-", ...reference),
  {
    name: "predict @/folder @/photos --json",
    comparison: "exact",
    measure: async (folder) =>
      parseLines(await output(folder, ["predict", "@/folder", "@/photos", "--json", ...reference])),
  },
  features,
  ...exportEndings.map((ending) => exportAgain(ending)),
  exportAgain("int8.onnx", "--int8", "--data-dir", "@/data", ...reference),
  ...exportEndings.map((ending) => command("exact", "verify", "@/first", `@/exports/first.${ending}`, ...reference)),
  ...exportEndings.map((ending) => command("exact", "verify", "@/first", `@/again.${ending}`, ...reference)),
  ...exportEndings.map((ending) =>
    command("exact", "import", `@/exports/first.${ending}`, "--like", "@/first", "--run", `@/imported-${ending}`),
  ),
  command("exact", "import", "@/exports/first.safetensors", "--run", "@/imported-alone"),
  command("exact", "predict", "@/imported-onnx", ...pictures, ...reference),
  resume("exact", "first"),
  resume("exact", "stopped"),
  resume("exact", "older"),
  resume("close", "stoppedOneDnn"),
  resume("exact", "tuned"),
  resume("exact", "full"),
  resume("exact", "folder"),
  {
    name: "sweep @/rates.json --run @/sweep",
    comparison: "exact",
    async measure(folder) {
      const printed = JSON.parse(await output(folder, ["sweep", "@/rates.json", "--run", "@/sweep", "--json"]));
      return { printed, files: await describeDirectory(join(folder, "sweep"), folder) };
    },
  },
  // One of them was resumed by oneDNN, whose sums depend on the processor.
  { ...command("close", "runs", "@/"), name: "runs, once resumed" },
  command("exact", "compare", "@/first", "@/stopped", "@/tuned", "@/full"),
  comparisonFiles,
  command("exact", "filters", "@/first", "--output", "@/filters.svg"),
  command("exact", "activations", "@/first", pictures[0] as string, "--output", "@/activations.svg", ...reference),
  command(
    "exact",
    "saliency",
    "@/first",
    pictures[0] as string,
    "--window",
    "7",
    "--stride",
    "7",
    "--output",
    "@/saliency.svg",
    ...reference,
  ),
  command(
    "exact",
    "similar",
    "@/folder",
    "@/photos",
    "--query",
    pictures[0] as string,
    "--output",
    "@/similar.svg",
    ...reference,
  ),
  command("exact", "map", "@/folder", "@/photos", "--method", "pca", "--output", "@/map.svg", ...reference),
  command("exact", "map", "@/folder", "@/photos", "--perplexity", "5", "--output", "@/map.svg", ...reference),
  command("exact", "check", "@/photos"),
  command("exact", "augment", "@/photos", "--preview", "@/augment.png", "--seed", "1"),
  command(
    "exact",
    "lr-find",
    "--network",
    "@/network.json",
    "--data-dir",
    "@/data",
    "--iterations",
    "20",
    ...reference,
  ),
  keys(
    "bench",
    "--network",
    "@/network.json",
    "--rounds",
    "1",
    "--batch-size",
    "8",
    "--precision",
    "f32",
    "--threads",
    "1",
  ),
  keys("doctor"),
  ...runNames.filter((name) => name !== "imported").map(makeAgain),
];

/** Stand-ins for a run: `latest`, and `.` in a folder that is no run. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { printError } from "./output.ts";

/** Files of which each run has at least one, the first to be written first. */
const runFiles = ["config.json", "best.safetensors", "last.safetensors", "fold-1/config.json"] as const;

/**
 * The run that an argument stands for: `latest` is the newest run in `runs/`, or in this folder if it is inside `runs/`; so is `.` if this folder is no run.
 * An existing `latest` is itself, and so is any other text. Prints the choice. Throws UsageError if there is no run.
 */
export function runOf(given: string): string {
  const isStandIn = given === "latest" ? !existsSync(given) : given === "." && startOf(".") === undefined;
  if (!isStandIn) return given;
  const found = newestIn(".") ?? newestIn("runs");
  if (found === undefined) throw new UsageError(`${given}: no run here or in runs/; alexnet train creates one`);
  printError(`${given}: ${found}`);
  return found;
}

/** The run in a folder that was started last; undefined if there is none. */
function newestIn(folder: string): string | undefined {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const runs = names.map((name) => join(folder, name)).map((run) => ({ run, start: startOf(run) ?? -1 }));
  const newest = runs.reduce((last, next) => (next.start > last.start ? next : last), { run: "", start: -1 });
  return newest.start < 0 ? undefined : newest.run;
}

/** True for the config.json of another program, such as that of a folder of Hugging Face. */
function isForeignConfig(file: string): boolean {
  if (!file.endsWith("config.json")) return false;
  try {
    return JSON.parse(readFileSync(file, "utf8"))?.recipe === undefined;
  } catch {
    return false;
  }
}

/** Time at which a run was started or imported; undefined for anything else. */
function startOf(run: string): number | undefined {
  const file = runFiles.map((name) => join(run, name)).find((each) => existsSync(each) && !isForeignConfig(each));
  return file === undefined ? undefined : statSync(file).mtimeMs;
}

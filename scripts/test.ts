/**
 * Runs the tests: all `*.test.ts` under src/ and test/, or the files given, or a named part: `--numeric` for those of the arithmetic, `--platform` for those that
 * depend on Node.js. Each file in a process of its own, several at a time, except those that measure.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { findOneDnn } from "../src/engine/onednn/native/find.ts";
import { readLibraryFolder, setupFolder } from "../src/engine/onednn/native/libraryFolder.ts";
import { COMPILED_FOLDER, type Compiled, compileCheckout } from "./testing/compile.ts";
import { allTests, runsAlone, suiteNames, suiteTests } from "./testing/suites.ts";

/** Node 20 applies it to each file as a whole; a file that exceeds it is stopped and fails. */
const TIMEOUT_MS = 240_000;

/** Files at a time. One more than two cores: a file often waits for a process that it started, for a file or for time. */
const AT_ONCE = 3;

type TestEvent = { readonly type: string; readonly data: unknown };

/** One of the runner's final counts, such as `pass 12`. */
function countIn({ type, data }: TestEvent): readonly [name: string, count: number] | undefined {
  if (type !== "test:diagnostic") return undefined;
  const { nesting, message, file } = data as { nesting: number; message: string; file?: string };
  const [, name, count] = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/.exec(message) ?? [];
  return nesting === 0 && file === undefined && name ? [name, Number(count)] : undefined;
}

/** An event of a compiled test, with the path of its source. */
function withSource({ type, data }: TestEvent, sources: ReadonlyMap<string, string>): TestEvent {
  const { file, name } = data as { file?: string; name?: string };
  const [ofFile, ofName] = [sources.get(file ?? ""), sources.get(name ?? "")];
  return {
    type,
    data: {
      ...(data as object),
      ...(ofFile === undefined ? {} : { file: ofFile }),
      ...(ofName === undefined ? {} : { name: relative(process.cwd(), ofName) }),
    },
  };
}

/** Events of all files, with a single set of counts at the end. */
async function* runFiles(files: readonly string[], moduleOf: Compiled["moduleOf"]): AsyncGenerator<TestEvent> {
  const counts = new Map<string, number>();
  const sources = new Map(files.map((file) => [moduleOf(file), file]));
  const alone = files.filter((file) => runsAlone(readFileSync(file, "utf8")));
  const groups = [
    { files: files.filter((file) => !alone.includes(file)), concurrency: AT_ONCE },
    { files: alone, concurrency: 1 },
  ];
  for (const { files, concurrency } of groups) {
    if (files.length === 0) continue;
    for await (const event of run({ files: files.map(moduleOf), concurrency, timeout: TIMEOUT_MS })) {
      const counted = countIn(event);
      if (!counted) yield withSource(event, sources);
      else counts.set(counted[0], (counts.get(counted[0]) ?? 0) + counted[1]);
      if (event.type === "test:fail") process.exitCode = 1;
    }
  }
  for (const [name, count] of counts)
    yield { type: "test:diagnostic", data: { nesting: 0, message: `${name} ${count}` } };
}

/** Tests have caches of their own: a oneDNN that was set up in the user's cache is found by the dynamic linker instead. */
function exposeSetupFolder(): void {
  const folder = setupFolder();
  const used = findOneDnn().find(({ supported }) => supported);
  if (used === undefined || used.path !== readLibraryFolder(folder)?.file) return;
  const before = process.env["LD_LIBRARY_PATH"];
  process.env["LD_LIBRARY_PATH"] = before ? `${folder}:${before}` : folder;
}

async function runAll(files: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-compiled-"));
  process.once("exit", () => rmSync(folder, { recursive: true }));
  process.once("SIGINT", () => process.exit(130));
  const { importArguments, moduleOf } = await compileCheckout(folder);
  process.env[COMPILED_FOLDER] = folder;
  exposeSetupFolder();
  // OpenMP threads that spin while waiting would slow down the other file's process.
  process.env["OMP_WAIT_POLICY"] ??= "passive";
  // The processes that run the files inherit these.
  process.execArgv.splice(0, process.execArgv.length, ...importArguments);
  for await (const text of Readable.from(runFiles(files, moduleOf)).compose(new spec())) process.stdout.write(text);
}

function chosen(given: readonly string[]): readonly string[] {
  if (given.length === 0) return allTests();
  return given.flatMap((name) => {
    const suite = suiteNames.find((known) => name === `--${known}`);
    return suite ? suiteTests(suite) : [resolve(name)];
  });
}

const files = chosen(process.argv.slice(2));
const missing = files.filter((file) => !existsSync(file)).map((file) => relative(process.cwd(), file));
if (files.length === 0 || missing.length > 0) {
  console.error(files.length === 0 ? "test: no *.test.ts under src/ and test/" : `test: no file ${missing.join(", ")}`);
  process.exitCode = 1;
} else await runAll(files);

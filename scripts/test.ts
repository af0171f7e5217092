/**
 * Runs the tests: all `*.test.ts` under src/ and test/, or the files given. One file at a time, since the engine's threads
 * spin. Start it with `node --import tsx`: the processes that run the files inherit that.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

/** Node 20 holds it against each file as a whole; a file that is still running then is ended and fails. */
const TIMEOUT_MS = 240_000;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function allTests(): string[] {
  return ["src", "test"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .sort()
      .map((file) => join(root, folder, file)),
  );
}

const given = process.argv.slice(2);
const files = given.length > 0 ? given.map((file) => resolve(file)) : allTests();
const missing = files.filter((file) => !existsSync(file));
if (files.length === 0 || missing.length > 0) {
  console.error(files.length === 0 ? "test: no *.test.ts under src/ and test/" : `test: no file ${missing.join(", ")}`);
  process.exitCode = 1;
} else {
  const events = run({ files, concurrency: 1, timeout: TIMEOUT_MS });
  events.on("test:fail", () => {
    process.exitCode = 1;
  });
  events.compose(new spec()).pipe(process.stdout);
}

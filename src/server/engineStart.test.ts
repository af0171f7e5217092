/** Start of an engine process: options of Node.js that it inherits, and the environment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { moduleUrl } from "../packageRoot.ts";
import { startOf } from "../workerModule.ts";
import { engineArguments, engineEnvironment } from "./engineStart.ts";

test("loaders are inherited; the inspector, whose port is in use, and programs of --eval are not", () => {
  const inherited = (options: readonly string[]) => {
    const [first, ...rest] = engineArguments(options);
    assert.equal(first, "--single-threaded-gc");
    // A program of `--eval` where TypeScript has to be loaded.
    const isFile = startOf(moduleUrl("server/engineProcess")).protocol === "file:";
    assert.match(rest.splice(isFile ? -1 : -2).join(" "), /engineProcess/);
    return rest;
  };
  const loaders = ["--import", "tsx", "--require=./hook.cjs", "--max-old-space-size=4096", "-r", "eval"];
  assert.deepEqual(inherited(loaders), loaders);
  const inspector = ["--inspect", "--inspect-brk=9229", "--inspect-wait", "--inspect-port", "9230", "--debug-port=1"];
  assert.deepEqual(inherited([...inspector, "--import", "tsx"]), ["--import", "tsx"]);
  for (const flag of ["--eval", "-e", "-p", "-pe", "--print"]) {
    assert.deepEqual(inherited(["--import=tsx", flag, "start()"]), ["--import=tsx"], flag);
  }
});

test("threads of GNU OpenMP sleep soon, unless the user's settings say otherwise", () => {
  const source = { path: "photos", maxBatch: 32, maxWait: 5 };
  assert.deepEqual(engineEnvironment(source, { PATH: "/bin" }), {
    PATH: "/bin",
    GOMP_SPINCOUNT: "10000",
    ALEXNET_SERVE_SOURCE: JSON.stringify(source),
  });
  assert.equal(engineEnvironment(source, { GOMP_SPINCOUNT: "5" })["GOMP_SPINCOUNT"], "5");
  assert.equal("GOMP_SPINCOUNT" in engineEnvironment(source, { OMP_WAIT_POLICY: "active" }), false);
});

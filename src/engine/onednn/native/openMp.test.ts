import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { importTypeScript } from "../../../../test/command.ts";

const modules = {
  onednn: new URL("../onednn.ts", import.meta.url).href,
  network: new URL("../../../network/network.ts", import.meta.url).href,
  tiny: new URL("../../../../test/tinyRuns.ts", import.meta.url).href,
};

/** Program that runs a network on n threads in its own process, and prints the number of threads that this added. */
function program(threads: number): string {
  return `
    import { readdirSync } from "node:fs";
    import { stat } from "node:fs/promises";
    import { createOneDnnEngine } from "${modules.onednn}";
    import { operations } from "${modules.network}";
    import { tinyNetwork } from "${modules.tiny}";
    await stat("."); // the runtime's own threads are there from here on
    const before = readdirSync("/proc/self/task").length;
    const engine = createOneDnnEngine({ threads: ${threads} });
    const [ops, inputShape] = [operations(tinyNetwork), tinyNetwork.input];
    const program = await engine.compile({ ops, inputShape, batchSize: 32, precision: "f32" });
    await program.forward(new Float32Array(32 * 784), 32, { seed: 0, first: 0 });
    console.log(readdirSync("/proc/self/task").length - before);
  `;
}

async function addedThreads(threads: number, environment: Readonly<Record<string, string>>): Promise<number> {
  const args = [...importTypeScript, "--input-type=module", "--eval", program(threads)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...environment } });
  return Number(stdout);
}

test("an engine computes on the requested number of threads in any environment", async () => {
  const environments: readonly Readonly<Record<string, string>>[] = [
    { OMP_NUM_THREADS: "1", OMP_PROC_BIND: "true", OMP_PLACES: "cores" },
    { OMP_DYNAMIC: "true" },
    { OMP_MAX_ACTIVE_LEVELS: "0" },
    { GOMP_CPU_AFFINITY: "0" },
    // A common setting: threads still spin when the process ends.
    { OMP_WAIT_POLICY: "active" },
  ];
  for (const environment of environments) {
    // More than a small machine has processors, and than a busy one would be given.
    assert.equal(await addedThreads(5, environment), 4, JSON.stringify(environment));
  }
  assert.equal(await addedThreads(1, { OMP_NUM_THREADS: "4" }), 0);
});

test("more threads than OMP_THREAD_LIMIT allows are refused: it cannot be lifted from inside", async () => {
  assert.equal(await addedThreads(2, { OMP_THREAD_LIMIT: "2" }), 1);
  await assert.rejects(
    addedThreads(3, { OMP_THREAD_LIMIT: "2" }),
    /threads: expected at most 2, got 3; .*OMP_THREAD_LIMIT/,
  );
});

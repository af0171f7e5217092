/** Training on two hosts: network namespaces of this machine with TCP between them. Linux, as root, with Open MPI and iproute2. */
// Runs alone: its processes take all cores and exchange at every step.
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findLauncher } from "../src/cli/launch.ts";
import { builtCommand, type Outcome } from "./command.ts";
import { startJob } from "./mpi/job.ts";
import { trainFlags } from "./mpi/runs.ts";
import { absent, first, makeTwoHosts, second } from "./mpi/twoHosts.ts";
import { lastWeights, twoTowers, writeTinyRun } from "./tinyRuns.ts";

const isPermitted = findLauncher()?.name === "Open MPI";
const hosts = isPermitted ? await makeTwoHosts() : undefined;
const skip = hosts ? false : "requires root, ip netns and Open MPI";
const folder = hosts?.folder ?? "";
let alexnet = "";

before(async () => {
  if (!hosts) return;
  await writeTinyRun(folder, { train: 75, test: 37 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(twoTowers));
  alexnet = await builtCommand();
});
after(() => hosts?.close());

/** Trains from the first host. */
function train(run: string, ...more: readonly string[]): Promise<Outcome> {
  const [command = "", ...onFirst] = hosts?.onFirst ?? [];
  const args = [...onFirst, process.execPath, alexnet, ...trainFlags(folder, run, ...more)];
  return startJob(command, args, { cwd: folder, env: hosts?.env ?? {} }).outcome;
}

test("--hosts trains on two hosts, with the bits of two processes of one machine", {
  skip,
  timeout: 180_000,
}, async () => {
  for (const scheme of ["data", "hybrid"]) {
    const flags = ["--epochs", "2", "--parallel", scheme];
    const [far, near] = [`hosts-${scheme}`, `near-${scheme}`];
    const joint = await train(far, "--hosts", `${first}:1,${second}:1`, ...flags);
    assert.equal(joint.exit, 0, joint.stderr);
    const config = JSON.parse(await readFile(join(folder, far, "config.json"), "utf8"));
    assert.deepEqual([config.processes, config.parallel], [2, scheme]);
    const alone = await train(near, "--processes", "2", ...flags);
    assert.equal(alone.exit, 0, alone.stderr);
    assert.deepEqual(await lastWeights(join(folder, far)), await lastWeights(join(folder, near)));
  }
});

test("a host that does not answer: one message, exit code 2, no run directory", { skip, timeout: 60_000 }, async () => {
  const { exit, stderr } = await train("nowhere", "--hosts", `${first}:1,${absent}:1`);
  assert.match(
    stderr,
    /^alexnet: --hosts: expected hosts that answer, got 10\.177\.45\.9 \(No route to host 10\.177\.45\.9\); check/,
  );
  assert.equal(stderr.trim().split("\n").length, 1, stderr);
  assert.equal(exit, 2);
  assert.ok(!(await readdir(folder)).includes("nowhere"));
  const other = await train("nowhere", "--hosts", `${first}:1,${second}:1`, "--processes", "3");
  assert.match(other.stderr, /--processes 3: expected 2, the processes of --hosts/);
  assert.equal(other.exit, 2);
});

/** Training on two hosts: network namespaces of this machine with TCP between them. Linux, as root, with Open MPI and iproute2. */
// Runs alone: its processes take all cores and exchange at every step.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findLauncher } from "../src/cli/launch.ts";
import { builtCommand, type Outcome } from "./command.ts";
import { startJob } from "./mpi/job.ts";
import { trainFlags } from "./mpi/runs.ts";
import { lastWeights, twoTowers, writeTinyRun } from "./tinyRuns.ts";

const [one, two] = [`alexnet-${process.pid}-a`, `alexnet-${process.pid}-b`];
const [link, peer] = [`ax${process.pid % 1e5}a`, `ax${process.pid % 1e5}b`];
/** Addresses of this test's own network. */
const network = "10.177.45.0/24";
const [first, second, absent] = ["10.177.45.1", "10.177.45.2", "10.177.45.9"];

const ip = (...args: readonly string[]) => spawnSync("ip", args, { encoding: "utf8" });
const hasOpenMpi = findLauncher()?.name === "Open MPI";
const isPermitted = hasOpenMpi && ip("netns", "add", one).status === 0;
const skip = isPermitted ? false : "requires root, ip netns and Open MPI";

let folder = "";
let alexnet = "";

before(async () => {
  if (!isPermitted) return;
  for (const args of [
    ["netns", "add", two],
    ["link", "add", link, "netns", one, "type", "veth", "peer", "name", peer, "netns", two],
    ["-n", one, "addr", "add", `${first}/24`, "dev", link],
    ["-n", two, "addr", "add", `${second}/24`, "dev", peer],
    ...[one, two].map((name) => ["-n", name, "link", "set", "lo", "up"]),
    ["-n", one, "link", "set", link, "up"],
    ["-n", two, "link", "set", peer, "up"],
  ]) {
    const { status, stderr } = ip(...args);
    assert.equal(status, 0, `ip ${args.join(" ")}: ${stderr}`);
  }
  folder = await mkdtemp(join(tmpdir(), "alexnet-hosts-"));
  await writeTinyRun(folder, { train: 75, test: 37 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(twoTowers));
  // The place of ssh: a host is a namespace with a name of its own, so that Open MPI exchanges by TCP.
  const lines = [
    "#!/bin/sh",
    `case $1 in ${first}) ns=${one};; ${second}) ns=${two};; *) echo "No route to host $1" >&2; exit 255;; esac`,
    "shift",
    `exec ip netns exec $ns unshare --uts sh -c "hostname $ns; cd ${folder}; $*"`,
  ];
  await writeFile(join(folder, "agent"), `${lines.join("\n")}\n`);
  await chmod(join(folder, "agent"), 0o755);
  alexnet = await builtCommand();
});
after(async () => {
  for (const name of [one, two]) ip("netns", "del", name);
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Trains from the first host. */
function train(run: string, ...more: readonly string[]): Promise<Outcome> {
  const env = {
    XDG_CACHE_HOME: folder,
    OMPI_MCA_plm_rsh_agent: join(folder, "agent"),
    OMPI_MCA_btl_tcp_if_include: network,
    OMPI_MCA_oob_tcp_if_include: network,
  };
  const args = [process.execPath, alexnet, ...trainFlags(folder, run, ...more)];
  return startJob("ip", ["netns", "exec", one, ...args], { cwd: folder, env }).outcome;
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

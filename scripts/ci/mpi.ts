/** Tests of training in several processes, within two minutes; installs Open MPI by the set-up, if it is missing. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const steps: readonly (readonly string[])[] = [
  ["scripts/setup.mjs", "--mpi"],
  ["--import", "./scripts/typescript.mjs", "--test", "test/processes.test.ts", "test/processesRefusals.test.ts"],
];
for (const args of steps) {
  // No test is skipped here.
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, CI: "1" },
  });
  if (status !== 0) process.exitCode = 1;
  if (status !== 0) break;
}

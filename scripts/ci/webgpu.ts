/**
 * The WebGPU engine with the kernels of graphics adapters, on a software adapter: four chains of layers, forward and backward. The other
 * tests compute with the kernels of software adapters, which compile in a tenth of the time. Then a tiny comparison with the engine's peers in Chromium.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const LIMIT_MS = 400_000;

const root = fileURLToPath(new URL("../../", import.meta.url));
const pattern =
  "--test-name-pattern=/^(conv → relu → norm|one channel|alexnet, narrow|locally connected).*outputs, all gradients/";
const checks = {
  tiles: ["--test", pattern, "test/conformance/stacks.test.ts"],
  peers: ["scripts/ci/webgpuPeers.ts"],
};
const env = { ...process.env, CI: "1", ALEXNET_TEST_ENGINES: "webgpu", ALEXNET_TEST_WEBGPU: "tiles" };
for (const [name, args] of Object.entries(checks)) {
  const began = performance.now();
  const command = ["--import", "./scripts/typescript.mjs", ...args];
  const { status } = spawnSync(process.execPath, command, { cwd: root, env, stdio: "inherit", timeout: LIMIT_MS });
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`webgpu, ${name}: ${status === 0 ? "passed" : "FAILED"} in ${seconds} s`);
  if (status !== 0) process.exitCode = status ?? 1;
}

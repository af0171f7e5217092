/**
 * Every participant of `bench:peers --engine webgpu` with a tiny network, on the adapter of Chromium: its numbers are compared, and it has a speed. A
 * participant with wrong numbers has none.
 */
import assert from "node:assert/strict";
import { findBrowserAdapter } from "../../bench/peers/browserAdapter.ts";
import { type Comparison, compare } from "../../bench/peers/compare.ts";
import { tinyNetwork } from "../../bench/peers/layerNetworks.ts";
import { webGpuParticipants } from "../../bench/peers/participants.ts";
import { ratesOf } from "../../bench/peers/results.ts";
import { formatComparison } from "../../bench/peers/table.ts";
import type { Variant } from "../../bench/peers/variants.ts";

/** A participant whose logits are wrong. */
const faulty: Variant = {
  name: "faulty",
  precision: "f32",
  isPeer: true,
  dropout: "none",
  start: async () => ({
    description: "",
    firstStepSeconds: 1,
    run: async (steps) => ({ seconds: Array.from({ length: steps }, () => 1) }),
    check: async () => ({ logits: [0, 1] }),
    peakBytes: () => undefined,
    close: async () => undefined,
  }),
};

const adapter = await findBrowserAdapter();
for (const [mode, peers] of [
  ["train", ["dawn", "tfjs-webgpu", "jax-js"]],
  ["infer", ["tfjs-webgpu", "jax-js", "onnxruntime-web"]],
] as const) {
  const comparison: Comparison = {
    network: tinyNetwork,
    mode,
    batchSize: 3,
    threads: 1,
    adapter: adapter.name,
    rounds: 1,
    roundSeconds: 0,
    variants: [...webGpuParticipants(adapter, peers), faulty],
  };
  const messages: string[] = [];
  const measured = await compare(comparison, (line) => messages.push(line));
  console.log(`${formatComparison(comparison, measured)}\n`);
  const timed = measured.filter((one) => (ratesOf(one, comparison.batchSize)[0] ?? 0) > 0);
  const expected = comparison.variants.map(({ name }) => name).filter((name) => name !== faulty.name);
  assert.deepEqual(
    timed.map(({ variant }) => variant),
    expected,
    messages.join("\n"),
  );
  assert.match(messages.join("\n"), /left out: faulty f32: expected numbers within 0.001 of direct convolution/);
}

/** Dropout from primitives. */
import { fillDropoutMask, randomStream } from "../../../random.ts";
import { type Builder, passThrough } from "./op.ts";

/**
 * Multiplies by a mask that JavaScript draws before; a mask of ones where dropout is off. Elements are numbered in row order,
 * so the mask does not depend on the layout.
 */
export const buildDropout: Builder<"dropout"> = ({ plan, training, run, batchSize }, op, input) => {
  const { probability, activeAtEvaluation } = op.options;
  if (probability === 0 || (!training && !activeAtEvaluation)) return passThrough(input);
  const { session } = plan;
  const mask = plan.value(input.dims, session.plain(input.dims, "f32"));
  const features = mask.dims.slice(1).reduce((product, extent) => product * extent, 1);
  const words = new Uint32Array((features + 1) >>> 1);
  let rows: readonly Float32Array[] | undefined;
  function draw(): void {
    rows ??= Array.from({ length: batchSize }, (_, r) => plan.view(mask).subarray(r * features, (r + 1) * features));
    const active = run.dropoutActive || activeAtEvaluation;
    const stream = randomStream(run.draws.seed, `dropout:${op.name}`);
    rows.forEach((row, r) => {
      if (active) fillDropoutMask(stream, run.draws.first + r, probability, words, row);
      else row.fill(1);
    });
  }
  plan.addCall(draw, [mask]);
  const maskInLayout = plan.inLayout(mask, input.desc);
  const output = plan.value(input.dims, input.desc);
  const multiply = session.elementwise(input.desc, [{ operation: "multiply", operand: input.desc }]);
  plan.add("dropout", multiply, [
    ["src", input],
    ["operand0", maskInLayout],
    ["dst", output],
  ]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, input.desc);
      plan.add("dropout", multiply, [
        ["src", gradient],
        ["operand0", maskInLayout],
        ["dst", gradient],
      ]);
      return gradient;
    },
  };
};

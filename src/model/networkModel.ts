/** A trained network in memory, and its weights in and out of a program. */
import type { Model } from "../checkpoint/metadata.ts";
import type { Parameter, Program, Tensor, TrainingProgram } from "../engine/engine.ts";
import { CheckpointError } from "../errors.ts";
import { nonFiniteProblem } from "../finite.ts";
import { type Network, parametersOf } from "../network/network.ts";
import { sizeOf } from "../shape.ts";

/** Values of a network's parameters by name, such as `conv1.weight`: weights [O, I, H, W] of convolutions, [O, I] of linear layers, biases [O]. */
export type Weights = ReadonlyMap<string, Float32Array>;

/** A trained network in memory, with everything that a prediction needs. */
export interface NetworkModel extends Model {
  readonly weights: Weights;
}

/**
 * Throws CheckpointError listing every parameter of a network whose values are missing, unexpected, of another size, NaN or infinite; `origin` begins
 * the message.
 */
export function checkWeights(origin: string, network: Network, weights: Weights): void {
  const expected = new Map(parametersOf(network).map(({ name, shape }) => [name, shape]));
  const problems = [...expected].flatMap(([name, shape]) => {
    const values = weights.get(name);
    if (!values) return [`${name}: missing, expected [${shape.join(", ")}]`];
    if (values.length !== sizeOf(shape)) {
      return [`${name}: expected ${sizeOf(shape)} values, [${shape.join(", ")}], got ${values.length}`];
    }
    const problem = nonFiniteProblem(values);
    return problem === undefined ? [] : [`${name}: ${problem}`];
  });
  const extra = [...weights.keys()].filter((name) => !expected.has(name)).map((name) => `${name}: not expected`);
  if (problems.length + extra.length === 0) return;
  throw new CheckpointError(
    `${origin}: the weights do not fit ${network.name}:\n  ${[...problems, ...extra].join("\n  ")}`,
  );
}

/** Writes weights to a program's parameters. */
export async function writeWeights(
  program: Program,
  parameters: readonly Parameter[],
  weights: Weights,
): Promise<void> {
  for (const { name, value } of parameters) {
    const values = weights.get(name);
    if (values) await program.write(value, values);
  }
}

/** Copies a program's weights, or their moving averages where there are some; `into` is the memory of an earlier copy. */
export async function readWeights(
  program: TrainingProgram,
  averaged: ReadonlyMap<string, Tensor> | undefined,
  into?: Weights,
): Promise<Weights> {
  const weights = new Map<string, Float32Array>();
  for (const { name, value } of [...program.parameters, ...program.frozen]) {
    const memory = into?.get(name) ?? new Float32Array(sizeOf(value.shape));
    weights.set(name, await program.read(averaged?.get(name) ?? value, memory));
  }
  return weights;
}

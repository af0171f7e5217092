/** Weights and biases of an int8 program: written in f32, stored in the form that the kernels multiply. */
import { ShapeError } from "../../../errors.ts";
import { type Int8Scheme, type RoundedParameter, type Rounding, roundParameter } from "../../../int8.ts";
import { formatShape, type Shape, sizeOf } from "../../../shape.ts";
import type { Op, Tensor } from "../../engine.ts";
import { asValue, type StoredParameter } from "../chain.ts";
import type { EngineTensor } from "../engineTensor.ts";
import type { Desc, Session } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import type { TensorMemory } from "../tensors.ts";

/** Scales and rounding of a layer's integer sums. */
export interface Int8Layer {
  readonly op: Op<"conv2d"> | Op<"linear">;
  readonly weight: RoundedParameter;
  readonly bias: RoundedParameter;
  readonly input: Rounding;
  /** Undefined for an f32 output. */
  readonly output: Rounding | undefined;
  /** Scales from sums to outputs, one for each output channel. */
  readonly scales: Float32Array;
}

/** Learned tensors of an int8 program, in the network's order. */
export interface Int8Weights {
  readonly parameters: ReadonlyMap<string, StoredParameter>;
  /** Adds a layer: memory for weights in layout `desc` with extents `dims`, and for the bias. */
  add(layer: Int8Layer, dims: readonly number[], desc: Desc): { readonly weight: Value; readonly bias: Value };
  /** Rounds and stores plain f32 values. Throws ShapeError for a tensor of another program or another number of values. */
  write(tensor: Tensor, values: Float32Array): void;
}

/** The scales of a layer's parameters in a scheme. Throws Error if one is missing. */
export function scalesOf({ name, parameters }: Op, scheme: Int8Scheme): readonly [RoundedParameter, RoundedParameter] {
  const [weight, bias] = parameters.map((parameter) => scheme.parameters.get(parameter.name));
  if (!weight || !bias) throw new Error(`${name}: no scales of its weights in the quantization`);
  return [weight, bias];
}

export function createInt8Weights(session: Session, tensors: TensorMemory): Int8Weights {
  const parameters = new Map<string, StoredParameter>();
  const writers = new Map<Tensor, (values: Float32Array) => void>();
  const create = (name: string, shape: Shape, desc: Desc, plain: Desc) => {
    const value = tensors.create({ name, parameter: name, shape, desc, plain, parts: 1 });
    parameters.set(name, { name, value, gradient: undefined, isUpdated: false });
    return value;
  };
  return {
    parameters,
    add(layer, dims, desc) {
      const [weightShape, biasShape] = layer.op.parameters as readonly [
        Op["parameters"][number],
        Op["parameters"][number],
      ];
      const weight = create(weightShape.name, weightShape.shape, desc, session.plain(dims, "s8"));
      const biasDesc = session.plain(biasShape.shape, "f32");
      const bias = create(biasShape.name, biasShape.shape, biasDesc, biasDesc);
      const write = layerWriters(tensors, layer, weight, bias);
      writers.set(weight, write.weight).set(bias, write.bias);
      return { weight: asValue(weight, dims, 0), bias: asValue(bias, biasShape.shape, 0) };
    },
    write(tensor, values) {
      const { name, shape } = tensors.own(tensor);
      if (values.length !== sizeOf(shape)) {
        throw new ShapeError(`${name}: expected ${sizeOf(shape)} values (${formatShape(shape)}), got ${values.length}`);
      }
      writers.get(tensor)?.(values);
    },
  };
}

/**
 * Σ (q − z) · w + b = Σ q · w + (b − z · Σ w): the input's zero point is part of the bias, and so is the output's, which is added after the sum
 * is scaled. All terms are integers, except that the bias is rounded to f32.
 */
function layerWriters(
  tensors: TensorMemory,
  { weight, bias, input, output, scales }: Int8Layer,
  weightTensor: EngineTensor,
  biasTensor: EngineTensor,
) {
  const rows = scales.length;
  let biases: ArrayLike<number> = new Int32Array(rows);
  const weightSums = new Float64Array(rows);
  const writeBias = () => {
    const sums = Float64Array.from(scales, (scale, row) => {
      const inputOffset = input.zeroPoint * (weightSums[row] as number);
      const outputOffset = output ? output.zeroPoint / scale : 0;
      return (biases[row] as number) - inputOffset + outputOffset;
    });
    tensors.transfer("write", biasTensor, Float32Array.from(sums));
  };
  return {
    weight(values: Float32Array) {
      const rounded = roundParameter(values, weight) as Int8Array;
      tensors.transfer("write", weightTensor, rounded);
      if (input.zeroPoint === 0) return;
      const length = rounded.length / rows;
      for (let row = 0; row < rows; row++) {
        let sum = 0;
        for (let i = row * length; i < (row + 1) * length; i++) sum += rounded[i] as number;
        weightSums[row] = sum;
      }
      writeBias();
    },
    bias(values: Float32Array) {
      biases = roundParameter(values, bias);
      writeBias();
    },
  };
}

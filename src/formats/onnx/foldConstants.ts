/**
 * Evaluation of nodes whose inputs are constants, such as shapes and weights that a graph reshapes or transposes. Arithmetic is in f32,
 * as in ONNX Runtime.
 *
 * Source: https://github.com/onnx/onnx/blob/main/docs/Operators.md.
 */
import { UnsupportedError } from "../../errors.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { broadcast, broadcastTo, type Fold, floatTensor, integerTensor, spend } from "./computedTensors.ts";
import { indexingFolds } from "./foldIndexing.ts";
import { dataTypes, type NodeMessage } from "./messages.ts";
import { axesOf, describeNode, isOnnxDomain, type NodeContext, type NodeView, type Value, viewNode } from "./node.ts";
import { isFloat, type OnnxTensor } from "./tensors.ts";

/** Output of a node of constants: a constant, or an error on use. */
export function foldConstant(node: NodeMessage, context: NodeContext): Value {
  const what = describeNode(node, context.origin);
  const { opType = "", domain = "" } = node;
  const fold = isOnnxDomain(domain) && Object.hasOwn(folds, opType) ? folds[opType] : undefined;
  const refused = (reason: string) => (use: string) =>
    new UnsupportedError(`${use}: an input is computed by ${what}; ${reason}`);
  if (!fold) return { refused: refused(`operator ${opType} on constants is not supported`) };
  try {
    const { view: seen, checkAttributes } = viewNode(node, context);
    const constant = fold(seen, context);
    checkAttributes();
    return { constant };
  } catch (error) {
    if (error instanceof UnsupportedError)
      return { refused: refused(error.message.replace(`${what}: `, "").replace(`${context.origin}: `, "")) };
    throw error;
  }
}

/** Shape of a value of the chain; NaN is a batch of any size. */
export function foldShape(node: NodeMessage, shape: Shape, context: NodeContext): Value {
  const { view: seen, checkAttributes } = viewNode(node, context);
  const part = partOf(seen, [context.batchSize ?? Number.NaN, ...shape]);
  checkAttributes();
  return { constant: integerTensor(part) };
}

function partOf(node: NodeView, shape: Shape): Shape {
  return shape.slice(node.int("start", 0), node.has("end") ? node.int("end", 0) : undefined);
}

const folds: Readonly<Record<string, Fold>> = {
  Identity: (node) => node.need(0),
  Constant: foldConstantNode,
  Shape: (node) => integerTensor(partOf(node, node.need(0).shape)),
  Size: (node) => integerTensor([sizeOf(node.need(0).shape)], []),
  ...indexingFolds,
  Cast(node, context) {
    const tensor = node.need(0);
    const to = node.int("to", 0);
    const isInteger = to === dataTypes.INT32 || to === dataTypes.INT64;
    if (!isInteger && !isFloat(to))
      throw node.unsupported(`attribute to ${to}, expected a type of floats, INT32 or INT64`);
    if (isInteger === tensor.isInteger) return tensor;
    spend(sizeOf(tensor.shape), context, node);
    return isInteger
      ? integerTensor(Array.from(tensor.floats(), Math.trunc), tensor.shape)
      : floatTensor(Float32Array.from(tensor.integers()), tensor.shape);
  },
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary(
    (a, b) => a / b,
    (a, b) => Math.trunc(a / b),
  ),
  Pow: binary((a, b) => a ** b),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((a) => 1 / a),
  Neg: unary((a) => -a),
  ReduceProd(node) {
    const tensor = node.need(0);
    const axes = axesOf(node, tensor.shape.length);
    if (!tensor.isInteger || tensor.shape.length !== 1 || (axes && axes.length !== 1)) {
      throw node.unsupported(`[${tensor.shape.join(", ")}], expected whole numbers along one axis`);
    }
    const keeps = node.int("keepdims", 1) !== 0;
    return integerTensor([tensor.integers().reduce((product, value) => product * value, 1)], keeps ? [1] : []);
  },
};

function foldConstantNode(node: NodeView): OnnxTensor {
  const tensor = node.tensor("value");
  if (tensor) return tensor;
  const [number, whole] = [node.floats("value_floats"), node.ints("value_ints")];
  if (number) return floatTensor(Float32Array.from(number));
  if (whole) return integerTensor(whole);
  if (node.has("value_float")) return floatTensor(Float32Array.of(node.float("value_float", 0)), []);
  if (node.has("value_int")) return integerTensor([node.int("value_int", 0)], []);
  throw node.unsupported("a constant of another type");
}

function unary(of: (a: number) => number): Fold {
  return (node, context) => {
    const tensor = node.need(0);
    spend(sizeOf(tensor.shape), context, node);
    if (tensor.isInteger) return integerTensor(tensor.integers().map(of), tensor.shape);
    return floatTensor(tensor.floats().map(of), tensor.shape);
  };
}

function binary(of: (a: number, b: number) => number, ofIntegers = of): Fold {
  return (node, context) => {
    const [a, b] = [node.need(0), node.need(1)];
    if (a.isInteger !== b.isInteger) throw node.unsupported("inputs of different types");
    const shape = broadcast(node, a.shape, b.shape);
    spend(sizeOf(shape), context, node);
    const [left, right] = [broadcastTo(shape, a, context), broadcastTo(shape, b, context)];
    if (a.isInteger) {
      const others = right.integers();
      return integerTensor(
        left.integers().map((value, i) => ofIntegers(value, others[i] as number)),
        shape,
      );
    }
    const others = right.floats();
    return floatTensor(
      left.floats().map((value, i) => of(value, others[i] as number)),
      shape,
    );
  };
}

/** Constants of an ONNX graph that are computed from others. */
import { UnsupportedError } from "../../errors.ts";
import { transposed } from "../values.ts";
import type { NodeMessage } from "./messages.ts";
import { type NodeContext, viewNode } from "./node.ts";
import type { OnnxTensor } from "./tensors.ts";

/** A value of the graph: a constant, or the chain after so many nodes, or something that makes an error of its use. */
export type Value =
  | { readonly constant: OnnxTensor }
  | { readonly step: number }
  | { readonly refused: (use: string) => UnsupportedError };

/** What a node of constants gives: a constant, or an error once it is used. */
export function foldConstant(
  node: NodeMessage,
  context: NodeContext,
  values: ReadonlyMap<string, Value>,
  what: string,
): Value {
  const { opType = "" } = node;
  const refused = (use: string) =>
    new UnsupportedError(`${use}: an input is computed by ${what}; operators on constants are not supported`);
  if (opType === "Identity") return values.get(node.input[0] ?? "") ?? { refused };
  if (opType === "Transpose") return foldTranspose(node, context, refused);
  if (opType !== "Constant") return { refused };
  const { view, checkAttributes } = viewNode(node, context);
  const constant = view.tensor("value");
  checkAttributes();
  return constant ? { constant } : { refused };
}

/** Of a matrix; it is transposed when its values are asked for. */
function foldTranspose(node: NodeMessage, context: NodeContext, refused: (use: string) => UnsupportedError): Value {
  const name = node.input[0] ?? "";
  if (!context.isConstant(name)) return { refused };
  const { view, checkAttributes } = viewNode(node, context);
  const matrix = view.need(0);
  const [rows = 0, columns = 0] = matrix.shape;
  const [first, second] = view.ints("perm") ?? [1, 0];
  checkAttributes();
  if (matrix.shape.length !== 2 || first !== 1 || second !== 0) return { refused };
  return {
    constant: {
      ...matrix,
      shape: [columns, rows],
      floats: () => transposed(matrix.floats(), rows, columns),
      integers: () => {
        throw refused(context.origin);
      },
    },
  };
}

/** Members of a training program that compute on its tensors. */
import { sizeOf } from "../../shape.ts";
import { alone } from "../communicator.ts";
import { dividedParameters, lowestIndex, totalSquares } from "../dividedTensors.ts";
import type { CompileRequest, TrainingProgram } from "../engine.ts";
import type { Forward } from "./chain.ts";
import type { EngineTensor } from "./engineTensor.ts";

/** Parameters, and the members that compute on tensors. */
export function trainingTensors({ parameters, tensors }: Forward, { ops, communicator = alone }: CompileRequest) {
  const divided = dividedParameters(ops);
  const stored = [...parameters.values()];
  const trained = stored.flatMap(({ name, value, gradient }) => (gradient ? [{ name, value, gradient }] : []));
  return {
    parameters: trained,
    frozen: stored.filter(({ gradient }) => !gradient),
    async read(tensor, into = new Float32Array(sizeOf(tensor.shape))) {
      return tensors.transfer("read", tensors.own(tensor), into);
    },
    newTensor(like) {
      const { name, ...layout } = tensors.own(like);
      return tensors.create({ ...layout, name: `tensor like ${name}` });
    },
    compileUpdate: (assignments) => tensors.compileUpdate(assignments),
    async sumOfSquares(given) {
      const own = given.map((tensor) => tensors.own(tensor));
      const isDivided = ({ parameter }: EngineTensor) => divided.has(parameter);
      return totalSquares(communicator, own, isDivided, (tensor) => tensors.sumOfSquares(tensor));
    },
    async firstNonFinite(of) {
      const index = trained.findIndex(({ value, gradient }) => !tensors.isFinite(of === "values" ? value : gradient));
      return trained[lowestIndex(communicator, index, divided.size > 0)]?.name;
    },
  } satisfies Partial<TrainingProgram>;
}

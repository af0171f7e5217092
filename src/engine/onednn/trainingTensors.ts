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
  const updated = stored.filter(({ isUpdated }) => isUpdated);
  const values = [...trained, ...updated].map(({ name, value }) => ({ name, tensor: value }));
  const gradients = trained.map(({ name, gradient }) => ({ name, tensor: gradient }));
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
      const checked = of === "values" ? values : gradients;
      const index = checked.findIndex(({ tensor }) => !tensors.isFinite(tensor));
      return checked[lowestIndex(communicator, index, divided.size > 0)]?.name;
    },
  } satisfies Partial<TrainingProgram>;
}

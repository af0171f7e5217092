/** A network that was read whole, as a file of weights. */
import { place } from "../network/network.ts";
import type { ModelFile } from "./format.ts";
import type { ImportedModel } from "./importedModel.ts";

/** Its tensors have the names that they have here, such as `conv1.weight`. */
export function importedFile(path: string, { network, tensors, metadata }: ImportedModel): ModelFile {
  const shapes = place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: `${layer.name}.${name}`, shape })),
  );
  const { classNames, preprocessing } = metadata;
  return {
    path,
    network,
    classNames,
    preprocessing,
    weights: {
      tensors: shapes,
      async read(name, into) {
        into.set(tensors.get(name) as Float32Array);
        return into;
      },
    },
    close: async () => {},
  };
}

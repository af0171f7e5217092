/** Weights files of networks with drawn weights. */
import { encodeModel, type Model } from "../src/checkpoint/metadata.ts";
import { writeSafetensors } from "../src/checkpoint/safetensorsWriter.ts";
import type { Preprocessing } from "../src/image/prepare/preprocess.ts";
import { classesOf, type Network, place } from "../src/network/network.ts";
import { tensorNames } from "../src/network/tensorNames.ts";
import { sizeOf } from "../src/shape.ts";
import { drawn } from "./golden.ts";

/** Classes are called by their numbers, and pictures are stretched and not scaled, unless `said` says otherwise. */
export function modelOf(
  network: Network,
  said: Partial<Pick<Model, "classNames" | "preprocessing" | "head" | "thresholds">> = {},
): Model {
  const [channels, height, width] = network.input;
  const preprocessing: Preprocessing = {
    size: [height, width],
    channels: channels === 1 ? 1 : 3,
    fit: { kind: "resize" },
    resize: "bilinear",
    mean: Array.from({ length: channels }, () => 0),
    deviation: Array.from({ length: channels }, () => 1),
  };
  return {
    network,
    classNames: Array.from({ length: classesOf(network) }, (_, i) => `${i}`),
    preprocessing,
    metrics: {},
    precision: "f32",
    exact: true,
    ...said,
  };
}

/** A weights file, drawn as the goldens of PyTorch are: the images still tell at the end. */
export async function writeDrawn(model: Model, file: string): Promise<void> {
  const { network } = model;
  const names = tensorNames(network);
  const tensors = place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: names.get(`${layer.name}.${name}`) as string, shape })),
  );
  const fanIns = new Map(tensors.map(({ name, shape }) => [name, sizeOf(shape.slice(1))]));
  await writeSafetensors(file, encodeModel(model, 0), {
    tensors,
    async read(name, into) {
      const bound = name.endsWith(".weight") ? Math.sqrt(2 / (fanIns.get(name) as number)) : 0.125;
      return drawn(1, name, into.length, -bound, bound);
    },
  });
}

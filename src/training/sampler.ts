/** Which pictures an epoch takes, in which order. */
import type { Split } from "../dataset/dataset.ts";
import { fillWords, permutation, randomStream } from "../random.ts";

/** `shuffle`: each picture once. `balanced`: as many draws as there are pictures, each class with the same probability, see below. */
export const samplerNames = ["shuffle", "balanced"] as const;

export type SamplerName = (typeof samplerNames)[number];

/** Positions in a split for an epoch, as many as it has pictures: a function of the seed and the epoch, so that an epoch can be taken up anywhere. */
export type Sampler = (epoch: number) => Uint32Array;

/** Makes the sampler of a name for a split and a seed. */
export function createSampler(name: SamplerName, split: Pick<Split, "length" | "label">, seed: number): Sampler {
  return samplers[name](split, seed);
}

const samplers: { readonly [N in SamplerName]: (split: Pick<Split, "length" | "label">, seed: number) => Sampler } = {
  shuffle(split, seed) {
    const stream = randomStream(seed, "shuffle");
    return (epoch) => permutation(stream, epoch, split.length);
  },
  /**
   * Each draw takes one of the classes that have pictures, then one of its pictures, all with the same probability and whatever was drawn before:
   * rare pictures come several times, others not in every epoch.
   *
   * Source: torch.utils.data.WeightedRandomSampler with weights of 1 / (pictures of the class), with replacement.
   */
  balanced(split, seed) {
    const stream = randomStream(seed, "balanced");
    const members = picturesOfClasses(split);
    return (epoch) => {
      const words = new Uint32Array(2 * split.length);
      fillWords(stream, epoch, words);
      return Uint32Array.from({ length: split.length }, (_, i) => {
        const pictures = members[below(members.length, words[2 * i] as number)] as readonly number[];
        return pictures[below(pictures.length, words[2 * i + 1] as number)] as number;
      });
    };
  },
};

function picturesOfClasses(split: Pick<Split, "length" | "label">): readonly (readonly number[])[] {
  const members = new Map<number, number[]>();
  for (let i = 0; i < split.length; i++) {
    const label = split.label(i);
    const pictures = members.get(label);
    if (pictures) pictures.push(i);
    else members.set(label, [i]);
  }
  return [...members.entries()].sort(([a], [b]) => a - b).map(([, pictures]) => pictures);
}

/** 0 … n − 1 from a 32-bit word. */
function below(n: number, word: number): number {
  return Math.floor((word / 0x100000000) * n);
}

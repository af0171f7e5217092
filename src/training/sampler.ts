/** The images of an epoch, and their order. */
import type { Split } from "../dataset/dataset.ts";
import { fillWords, permutation, randomStream } from "../random.ts";

/** `shuffle`: each image once. `balanced`: n draws from n images, each class with the same probability, see below. */
export const samplerNames = ["shuffle", "balanced"] as const;

export type SamplerName = (typeof samplerNames)[number];

/** Positions in a split for an epoch, one per image: a function of seed and epoch, so that training can resume at any iteration. */
export type Sampler = (epoch: number) => Uint32Array;

/** Creates the sampler of a name for a split and a seed. */
export function createSampler(name: SamplerName, split: Pick<Split, "length" | "label">, seed: number): Sampler {
  return samplers[name](split, seed);
}

const samplers: { readonly [N in SamplerName]: (split: Pick<Split, "length" | "label">, seed: number) => Sampler } = {
  shuffle(split, seed) {
    const stream = randomStream(seed, "shuffle");
    return (epoch) => permutation(stream, epoch, split.length);
  },
  /**
   * Each draw selects a class with images, then one of its images, uniformly and independently of earlier draws. Images of rare classes occur several
   * times, others not in every epoch.
   *
   * Source: torch.utils.data.WeightedRandomSampler with weights of 1 / (images of the class), with replacement.
   */
  balanced(split, seed) {
    const stream = randomStream(seed, "balanced");
    const members = picturesOfClasses(split);
    return (epoch) => {
      const words = new Uint32Array(2 * split.length);
      fillWords(stream, epoch, words);
      return Uint32Array.from({ length: split.length }, (_, i) => {
        const images = members[below(members.length, words[2 * i] as number)] as readonly number[];
        return images[below(images.length, words[2 * i + 1] as number)] as number;
      });
    };
  },
};

function picturesOfClasses(split: Pick<Split, "length" | "label">): readonly (readonly number[])[] {
  const members = new Map<number, number[]>();
  for (let i = 0; i < split.length; i++) {
    const label = split.label(i);
    const images = members.get(label);
    if (images) images.push(i);
    else members.set(label, [i]);
  }
  return [...members.entries()].sort(([a], [b]) => a - b).map(([, images]) => images);
}

/** Maps a 32-bit word to 0 … n − 1. */
function below(n: number, word: number): number {
  return Math.floor((word / 0x100000000) * n);
}

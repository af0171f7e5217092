/** Random streams of augmentation, by (seed, purpose, epoch, index). */
import { fillWords, randomStream } from "../../random.ts";

/** Numbers for one use of a picture: a function of (seed, purpose, epoch, index) and of how many were drawn before. */
export interface Draws {
  /** What follows is for this use of a picture. */
  begin(epoch: number, index: number): void;
  /** In [0, 1). */
  uniform(): number;
  /** From N(0, 1), by Box and Muller. */
  gaussian(): number;
}

/** Words of one use; from there on they repeat. */
const WORDS = 64;
/** Most uses need few words: so many are made at a time. */
const CHUNK = 8;

/** The draws for a purpose such as `"flip"`: the same whatever is drawn for others. */
export function createDraws(seed: number, purpose: string): Draws {
  const stream = randomStream(seed, `augment:${purpose}`);
  const words = new Uint32Array(CHUNK);
  let [epoch, index, used] = [0, 0, 0];
  const uniform = () => {
    if (used % CHUNK === 0) fillWords(stream, epoch, words, { first: index * WORDS + (used % WORDS) });
    return (words[used++ % CHUNK] as number) / 0x100000000;
  };
  return {
    begin(nextEpoch, nextIndex) {
      epoch = nextEpoch;
      index = nextIndex;
      used = 0;
    },
    uniform,
    gaussian() {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    },
  };
}

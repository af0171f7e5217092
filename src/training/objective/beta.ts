/** Random numbers of Beta(α, α). */
import { fillWords, randomStream } from "../../random.ts";

/** Words drawn at a time: an attempt takes three, and more than nine of ten succeed. */
const WORDS = 16;

/**
 * A number of the distribution Beta(α, α) for each counter, a function of (seed, purpose, counter). It may be 0 or 1 where that is nearest.
 *
 *     λ = g / (g + g′), g and g′ of Gamma(α), as 1 / (1 + exp(ln g′ − ln g)), which does not underflow for small α.
 *
 * Sources: Marsaglia, Tsang 2000, “A simple method for generating gamma variables”: Gamma(α + 1) by rejection, and Gamma(α) as that times U^(1/α).
 */
export function createBeta(seed: number, purpose: string, alpha: number): (counter: number) => number {
  const stream = randomStream(seed, purpose);
  const words = new Uint32Array(WORDS);
  let counter = 0;
  let drawn = 0;
  /** In (0, 1). */
  const uniform = () => {
    if (drawn % WORDS === 0) fillWords(stream, counter, words, { first: drawn });
    return ((words[drawn++ % WORDS] as number) + 0.5) / 0x100000000;
  };
  const d = alpha + 1 - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  const logGamma = (): number => {
    for (;;) {
      const x = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
      const u = uniform();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(u) < (x * x) / 2 + d * (1 - v + Math.log(v))) {
        return Math.log(d * v) + Math.log(uniform()) / alpha;
      }
    }
  };
  return (at) => {
    counter = at;
    drawn = 0;
    const log = logGamma();
    return 1 / (1 + Math.exp(logGamma() - log));
  };
}

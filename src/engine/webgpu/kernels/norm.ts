/**
 * Local response normalization: y = x · s^−beta with s = k + strength · Σ x², over neighbouring channels or positions; dx = dy · s^−beta − 2 · beta ·
 * strength · x · Σ t with t = dy · x · s^(−beta − 1), over the same neighbours.
 */
import { place } from "./pools.ts";
import { float } from "./wgsl.ts";

export interface Norm {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly size: number;
  /** alpha over the number of neighbours. */
  readonly strength: number;
  readonly beta: number;
  readonly k: number;
  readonly isWithinChannel: boolean;
  /** Channels of a group; neighbours in other groups do not count. */
  readonly group: number;
}

/** Adds `term`, an expression of the neighbour's index `j`, over the neighbours of element i, to `sum`. */
function overNeighbours({ channels, height, width, size, isWithinChannel, group }: Norm, term: string): string {
  const half = (size - 1) / 2;
  if (!isWithinChannel) {
    return `var sum = 0.0;
  let first = ${group === channels ? "0" : `i32(c) / ${group} * ${group}`};
  for (var d = max(first, i32(c) - ${half}); d <= min(first + ${group - 1}, i32(c) + ${half}); d++) { let j = i - c + u32(d); sum += ${term}; }`;
  }
  return `var sum = 0.0;
  for (var row = max(0, y - ${half}); row <= min(${height - 1}, y + ${half}); row++) {
    for (var column = max(0, x - ${half}); column <= min(${width - 1}, x + ${half}); column++) {
      let j = u32(i32(i) + ((row - y) * ${width} + column - x) * ${channels}); sum += ${term};
    }
  }`;
}

/**
 * Function `power(s)`: s^−beta. Roots for multiples of 1/4, whose errors are those of a few roundings; the error of `pow` grows with the logarithm of s.
 */
export function power({ beta }: Pick<Norm, "beta">): string {
  const quarters = 4 * beta;
  if (!Number.isInteger(quarters) || beta < 0 || beta > 8) {
    return `fn power(s: f32) -> f32 { return pow(s, ${float(-beta)}); }`;
  }
  const factors = [
    ...new Array<string>(Math.floor(beta)).fill("s"),
    ...(quarters % 4 >= 2 ? ["root"] : []),
    ...(quarters % 2 === 1 ? ["sqrt(root)"] : []),
  ];
  return `fn power(s: f32) -> f32 { let root = sqrt(s); return 1.0 / (${factors.join(" * ") || "1.0"}); }`;
}

const scale = ({ k, strength }: Norm) => `let s = ${float(k)} + ${float(strength)} * sum;`;

/** Body: ys ← xs · s^−beta; keeps s, where the backward pass needs it. */
export function normForward(norm: Norm, keepsScale: boolean): string {
  return `${place(norm.height, norm.width, norm.channels)}
  ${overNeighbours(norm, "xs[j] * xs[j]")}
  ${scale(norm)}
  ${keepsScale ? "scales[i] = s;" : ""}
  ys[i] = xs[i] * power(s);`;
}

/** Body: terms ← dy · x · s^(−beta − 1). */
export const normTerms = "let s = scales[i]; terms[i] = dy[i] * xs[i] * power(s) / s;";

/** Body: `sum` ← the input's gradient. */
export function normBackward(norm: Norm): string {
  return `${place(norm.height, norm.width, norm.channels)}
  ${overNeighbours(norm, "terms[j]")}
  sum = dy[i] * power(scales[i]) - ${float(2 * norm.beta * norm.strength)} * xs[i] * sum;`;
}

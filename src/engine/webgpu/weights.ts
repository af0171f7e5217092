/** Layouts of tensors that outlive a step, and their plain forms. */

/** Order of a tensor's values in the engine's memory. Both forms have the same number of values. */
export interface Layout {
  readonly length: number;
  /** Equal for tensors in the same layout. */
  readonly key: string;
  /** Copies plain values, row by row in the order of the shape. */
  pack(plain: Float32Array, inside: Float32Array): void;
  unpack(inside: Float32Array, plain: Float32Array): void;
}

/** Values in their plain order. */
export function vectorLayout(length: number): Layout {
  const copy = (from: Float32Array, to: Float32Array) => to.set(from);
  return { length, key: `plain ${length}`, pack: copy, unpack: copy };
}

/** Extents of weights: of each group, inputs, outputs, and taps of the window. */
export interface WeightExtents {
  readonly groups: number;
  readonly ins: number;
  readonly outs: number;
  readonly taps: number;
  /** Plain rows are ordered by output, then by group: the kernels of a locally connected layer, whose groups are its pixels. */
  readonly isLocal?: boolean | undefined;
}

/** Rows and columns of a block that stays in the processor's cache. */
const BLOCK = 32;

/** Plain [group][out][in][tap], or [out][group][in][tap], as [group][tap][in][out]. */
export function weightLayout({ groups, ins, outs, taps, isLocal = false }: WeightExtents): Layout {
  const depth = ins * taps;
  const each = (move: (plain: number, inside: number) => void) => {
    for (let group = 0; group < groups; group++) {
      const start = group * depth * outs;
      for (let first = 0; first < depth; first += BLOCK) {
        for (let firstOut = 0; firstOut < outs; firstOut += BLOCK) {
          for (let k = first; k < Math.min(depth, first + BLOCK); k++) {
            const row = start + ((k % taps) * ins + Math.floor(k / taps)) * outs;
            for (let o = firstOut; o < Math.min(outs, firstOut + BLOCK); o++) {
              move((isLocal ? o * groups + group : group * outs + o) * depth + k, row + o);
            }
          }
        }
      }
    }
  };
  return {
    length: groups * depth * outs,
    key: `weights ${[groups, ins, outs, taps, isLocal].join()}`,
    pack: (plain, inside) =>
      each((from, to) => {
        inside[to] = plain[from] as number;
      }),
    unpack: (inside, plain) =>
      each((to, from) => {
        plain[to] = inside[from] as number;
      }),
  };
}

/** Layouts of tensors that outlive a step: weights as panels of eight outputs, and vectors. */

import { padded } from "./featureMap.ts";
import { LANES } from "./kernels/kernel.ts";

/** Places of the plain values of a tensor, row by row in the order of its shape, in the layout of the engine. */
export interface Layout {
  /** Values in the engine's layout, padding included. */
  readonly length: number;
  /** Equal for tensors in the same layout. */
  readonly key: string;
  /** Calls `move` for each run of plain values: first index, first index inside and the distance there, and their number. */
  forEachRun(move: (plain: number, inside: number, step: number, count: number) => void): void;
}

/** A vector, followed by zeros. */
export function vectorLayout(length: number): Layout {
  return { ...plainLayout(length), length: padded(length), key: `vector ${length}` };
}

/** Values one after the other. */
export function plainLayout(length: number): Layout {
  return { length, key: `plain ${length}`, forEachRun: (move) => move(0, 0, 1, length) };
}

/** Weights of a convolution or linear layer. */
export interface PanelExtents {
  readonly outputs: number;
  /** Input channels that an output reads: plain weights are [outputs, channels, taps]. */
  readonly channels: number;
  /** Pixels of the window. */
  readonly taps: number;
  /** Values of a pixel in the layout. */
  readonly lanes: number;
  /** Groups whose channels lie next to each other in the layout, with zeros between outputs and inputs of different groups. Otherwise 1. */
  readonly spreadGroups: number;
}

/**
 * [outputs / 8][taps][lanes][8 outputs]: a panel is what a tile multiplies with, in order. Output o, channel c, tap t is at
 * ⌊o / 8⌋ · panelLength + (t · lanes + c) · 8 + o mod 8.
 */
export function panelLayout({ outputs, channels, taps, lanes, spreadGroups }: PanelExtents): Layout {
  const panelLength = taps * lanes * LANES;
  return {
    length: (padded(outputs) / LANES) * panelLength,
    key: `panels ${[outputs, channels, taps, lanes, spreadGroups].join()}`,
    forEachRun(move) {
      const outputsOfGroup = outputs / spreadGroups;
      // Few long runs: a linear layer without a map has one tap, and its channels are at a constant distance too.
      const [runs, step, count] = taps === 1 ? [1, LANES, channels] : [channels, lanes * LANES, taps];
      for (let o = 0; o < outputs; o++) {
        const firstChannel = Math.floor(o / outputsOfGroup) * channels * (spreadGroups > 1 ? 1 : 0);
        const panel = Math.floor(o / LANES) * panelLength + (o % LANES);
        for (let run = 0; run < runs; run++) {
          move((o * channels + run) * taps, panel + (firstChannel + run) * LANES, step, count);
        }
      }
    },
  };
}

/** Copies plain values into a tensor. Padding is left as it is. */
export function pack(layout: Layout, plain: Float32Array, inside: Float32Array): void {
  layout.forEachRun((from, to, step, count) => {
    for (let i = 0; i < count; i++) inside[to + i * step] = plain[from + i] as number;
  });
}

/** Copies a tensor into plain values. */
export function unpack(layout: Layout, inside: Float32Array, plain: Float32Array): void {
  layout.forEachRun((to, from, step, count) => {
    for (let i = 0; i < count; i++) plain[to + i] = inside[from + i * step] as number;
  });
}

/** Blocks in perspective: their geometry and their markup. */
import type { Shape } from "../../shape.ts";
import { html, type Markup } from "../markup.ts";

/** A block in drawing units; `left` and `top` are of its front face. */
export interface Block {
  readonly left: number;
  readonly top: number;
  /** Extent along the channels. */
  readonly thickness: number;
  readonly height: number;
  /** Offset of the back face, right and up. */
  readonly depth: number;
}

type Point = readonly [x: number, y: number];

const obliqueness = 0.34;
const unitWidth = 12;

/** Block size of feature maps [channels, height, width] or of a row of units [features]. */
export function blockSize(shape: Shape): Omit<Block, "left" | "top"> {
  const [channels = 1, height, width] = shape;
  if (height === undefined || width === undefined) {
    return { thickness: unitWidth, height: 16 * channels ** 0.29, depth: 0.5 * unitWidth };
  }
  return { thickness: 2.7 * channels ** 0.5, height: drawn(height), depth: obliqueness * drawn(width) };
}

function drawn(extent: number): number {
  return 11 * extent ** 0.53;
}

/** The three visible faces. */
export function drawBlock(block: Block, { fill, line }: { readonly fill: string; readonly line: string }): Markup {
  const { left, top, thickness, height, depth } = block;
  const [right, bottom] = [left + thickness, top + height];
  const faces: readonly (readonly [readonly Point[], number])[] = [
    [
      [
        [left, top],
        [right, top],
        [right, bottom],
        [left, bottom],
      ],
      0.85,
    ],
    [
      [
        [left, top],
        [left + depth, top - depth],
        [right + depth, top - depth],
        [right, top],
      ],
      0.6,
    ],
    [
      [
        [right, top],
        [right + depth, top - depth],
        [right + depth, bottom - depth],
        [right, bottom],
      ],
      0.45,
    ],
  ];
  const drawnFaces = faces.map(
    ([corners, opacity]) => html`<polygon points="${pointList(corners)}" fill="${fill}" fill-opacity="${opacity}"/>`,
  );
  return html`<g stroke="${line}" stroke-width="0.8" stroke-linejoin="round">${drawnFaces}</g>`;
}

/** The part of a block covered by a window of the given fractions of its height and width, through all channels. */
export function windowIn(block: Block, [down, across]: readonly [number, number]): Block {
  const [height, depth] = [
    Math.max(block.height * Math.min(down, 1), 3),
    Math.max(block.depth * Math.min(across, 1), 2),
  ];
  const back = (block.depth - depth) * 0.45;
  const below = (block.height - height) * 0.4;
  return { left: block.left + back, top: block.top - back + below, thickness: block.thickness, height, depth };
}

/** Corners of a block's right face. */
export function rightFace({ left, top, thickness, height, depth }: Block): readonly Point[] {
  const right = left + thickness;
  return [
    [right, top],
    [right + depth, top - depth],
    [right + depth, top + height - depth],
    [right, top + height],
  ];
}

/** A point of a block's left face, as fractions of its height and width. */
export function onLeftFace({ left, top, height, depth }: Block, [down, across]: readonly [number, number]): Point {
  return [left + across * depth, top + down * height - across * depth];
}

/** Lines from several points to one. */
export function drawRays(from: readonly Point[], to: Point, stroke: string): Markup {
  const path = from.map(([x, y]) => `M${round(x)} ${round(y)}L${round(to[0])} ${round(to[1])}`).join("");
  return html`<path d="${path}" stroke="${stroke}" stroke-width="0.9" fill="none"/>`;
}

/** Rounds to a hundredth to keep files short. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function pointList(points: readonly Point[]): string {
  return points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
}

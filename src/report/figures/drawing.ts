/** Drawing of a network: blocks in perspective with their sizes, kernels and towers. */
import type { Network } from "../../network/network.ts";
import { summarize } from "../../network/summary.ts";
import type { Shape } from "../../shape.ts";
import { html, type Markup } from "../markup.ts";
import { formatCount } from "../numbers.ts";
import { displayWidth, truncate } from "../text.ts";
import { type Palette, palettes, type Theme } from "../theme.ts";
import { type Stage, stagesOf, towersSeen } from "./drawingStages.ts";

const margin = 22;
const columnGap = 16;
const lineHeight = 15;
const fontSize = 11.5;
/** Average width of a character as a fraction of the font size; DejaVu Sans is wide. */
const characterWidth = 0.63;
const towerGap = 26;
const longestName = 18;

interface Column {
  readonly stage: Stage;
  /** One per tower, from top to bottom. */
  readonly blocks: readonly Block[];
  readonly left: number;
  readonly width: number;
}

/** Draws a network as SVG, as wide as it needs. */
export function drawNetwork(network: Network, theme: Theme): string {
  const stages = stagesOf(network);
  const heights = stages.map(heightOf);
  const head = 2 * margin + 3 * lineHeight;
  const middle = head + Math.max(...heights) / 2;
  const columns = layOut(stages, middle);
  const captionTop = middle + Math.max(...heights) / 2 + 1.8 * lineHeight;
  const lines = Math.max(...stages.map(({ captions }) => captions.length)) + 1;
  const palette = palettes[theme];
  const legend = drawLegend(stages, palette);
  const last = columns.at(-1) as Column;
  const title = `${truncate(network.name, 60)}: ${totalsOf(network)}`;
  const width = Math.ceil(Math.max(last.left + last.width + margin, textWidth(title) * 1.4 + 2 * margin, legend.width));
  const height = Math.ceil(captionTop + lines * lineHeight + margin / 2);
  const drawn = columns.map((column, i) => drawColumn(columns[i - 1], column, palette));
  const captions = columns.map((column) => drawCaptions(column, captionTop));
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="${fontSize}" fill="${palette.ink}"><title>${title}</title><rect width="${width}" height="${height}" fill="${palette.background}"/><text x="${margin}" y="${margin + lineHeight}" font-size="${fontSize + 3.5}" font-weight="bold">${title}</text>${legend.markup}${drawn}${captions}</svg>`
    .markup;
}

function totalsOf(network: Network): string {
  const { parameters, macs } = summarize(network).totals;
  return `${formatCount(parameters)} parameters, ${formatCount(macs)} MACs`;
}

function sizeOfTower({ shape, towers }: Stage): Omit<Block, "left" | "top"> {
  return blockSize([(shape[0] ?? 1) / towers, ...shape.slice(1)]);
}

function heightOf(stage: Stage): number {
  const { height, depth } = sizeOfTower(stage);
  return stage.towers * (height + depth) + (stage.towers - 1) * towerGap;
}

/** Arranges columns from left to right, with blocks centred on the middle line. */
function layOut(stages: readonly Stage[], middle: number): readonly Column[] {
  let left = margin;
  return stages.map((stage) => {
    const size = sizeOfTower(stage);
    const blockWidth = size.thickness + size.depth;
    const width = Math.max(blockWidth + 1.5 * columnGap, ...linesOf(stage).map(textWidth));
    const top = middle - heightOf(stage) / 2;
    const blocks = Array.from({ length: stage.towers }, (_, tower) => ({
      ...size,
      left: left + (width - blockWidth) / 2,
      top: top + size.depth + tower * (size.height + size.depth + towerGap),
    }));
    const column = { stage, blocks, left, width };
    left += width + columnGap;
    return column;
  });
}

function linesOf({ name, captions }: Stage): readonly string[] {
  return [truncate(name, longestName), ...captions];
}

function textWidth(text: string): number {
  return displayWidth(text) * fontSize * characterWidth;
}

function drawColumn(before: Column | undefined, { stage, blocks }: Column, palette: Palette): Markup {
  const fill = stage.shape.length === 1 && stage.origin === "learned" ? palette.units : palette[stage.origin];
  const connections = before ? blocks.flatMap((block, tower) => connect(before, block, stage, tower, palette)) : [];
  return html`<g>${connections}${blocks.map((block) => drawBlock(block, { fill, line: palette.ink }))}</g>`;
}

/** Draws the receptive field of one output and rays to it; a layer that sees everything gets rays from the whole side. */
function connect(before: Column, block: Block, stage: Stage, tower: number, palette: Palette): readonly Markup[] {
  const { reach } = stage;
  const seen = towersSeen(stage, tower, before.stage);
  const stroke = stage.groups < before.stage.towers ? palette.orange : palette.ink;
  return seen.flatMap((index) => {
    const source = before.blocks[index] as Block;
    if (!showsWindow(stage) || reach === undefined || reach === "all") {
      const [top, , , bottom] = rightFace(source);
      if (!top || !bottom) return [];
      return [
        drawRays([top], onLeftFace(block, [0, 0]), stroke),
        drawRays([bottom], onLeftFace(block, [1, 0]), stroke),
      ];
    }
    const [, height = 1, width = 1] = before.stage.shape;
    const window = windowIn(source, [reach[0].kernelSize / height, reach[1].kernelSize / width]);
    const target = onLeftFace(block, [0.45, 0.5]);
    const kernel = drawBlock(window, { fill: palette.kernel, line: palette.ink });
    return [kernel, drawRays(rightFace(window), target, stroke)];
  });
}

/** True if the receptive field is drawn as a part of the block before: layers from feature maps to feature maps. */
function showsWindow({ reach, shape }: Stage): boolean {
  return reach !== undefined && reach !== "all" && shape.length > 1;
}

function drawCaptions({ stage, left, width }: Column, top: number): Markup {
  const x = round(left + width / 2);
  const texts = linesOf(stage).map((text, i) => {
    const weight = i === 0 ? "bold" : "normal";
    return html`<text x="${x}" y="${round(top + i * lineHeight)}" font-weight="${weight}">${text}</text>`;
  });
  return html`<g text-anchor="middle">${texts}</g>`;
}

interface Legend {
  readonly markup: Markup;
  readonly width: number;
}

/** Legend of the colours in use. */
function drawLegend(
  stages: readonly Stage[],
  { image, learned, derived, units, kernel, orange, ink }: Palette,
): Legend {
  const has = (test: (stage: Stage, before: Stage | undefined) => boolean) =>
    stages.some((s, i) => test(s, stages[i - 1]));
  const isRow = ({ shape }: Stage) => shape.length === 1;
  const entries: readonly (readonly [boolean, string, string])[] = [
    [true, image, "image"],
    [has((stage) => stage.origin === "learned" && !isRow(stage)), learned, "feature maps of a convolution"],
    [has(({ origin }) => origin === "derived"), derived, "feature maps without weights"],
    [has((stage) => stage.origin === "learned" && isRow(stage)), units, "linear units"],
    [has(showsWindow), kernel, "receptive field of one output"],
    [has(({ groups }, before) => groups < (before?.towers ?? 1)), orange, "towers exchange data"],
  ];
  let x = margin;
  const y = margin + 2.4 * lineHeight;
  const shown = entries.filter(([shows]) => shows);
  const drawn = shown.map(([, fill, text]) => {
    const left = x;
    x += 16 + textWidth(text) + 10;
    return html`<rect x="${round(left)}" y="${y - 9}" width="11" height="11" fill="${fill}" stroke="${ink}" stroke-width="0.8"/><text x="${round(left + 16)}" y="${y}">${text}</text>`;
  });
  return { markup: html`<g>${drawn}</g>`, width: x };
}

/** A block in drawing units; `left` and `top` are of its front face. */
interface Block {
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
function blockSize(shape: Shape): Omit<Block, "left" | "top"> {
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
function drawBlock(block: Block, { fill, line }: { readonly fill: string; readonly line: string }): Markup {
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
function windowIn(block: Block, [down, across]: readonly [number, number]): Block {
  const [height, depth] = [
    Math.max(block.height * Math.min(down, 1), 3),
    Math.max(block.depth * Math.min(across, 1), 2),
  ];
  const back = (block.depth - depth) * 0.45;
  const below = (block.height - height) * 0.4;
  return { left: block.left + back, top: block.top - back + below, thickness: block.thickness, height, depth };
}

/** Corners of a block's right face. */
function rightFace({ left, top, thickness, height, depth }: Block): readonly Point[] {
  const right = left + thickness;
  return [
    [right, top],
    [right + depth, top - depth],
    [right + depth, top + height - depth],
    [right, top + height],
  ];
}

/** A point of a block's left face, as fractions of its height and width. */
function onLeftFace({ left, top, height, depth }: Block, [down, across]: readonly [number, number]): Point {
  return [left + across * depth, top + down * height - across * depth];
}

/** Lines from several points to one. */
function drawRays(from: readonly Point[], to: Point, stroke: string): Markup {
  const path = from.map(([x, y]) => `M${round(x)} ${round(y)}L${round(to[0])} ${round(to[1])}`).join("");
  return html`<path d="${path}" stroke="${stroke}" stroke-width="0.9" fill="none"/>`;
}

/** Rounds to a hundredth to keep files short. */
function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function pointList(points: readonly Point[]): string {
  return points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
}

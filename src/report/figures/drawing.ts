/** Drawing of a network: blocks in perspective with their sizes, kernels and towers. */
import { formatBytes } from "../../bytes.ts";
import type { StepExchanges } from "../../network/exchanges.ts";
import type { Network } from "../../network/network.ts";
import { summarize } from "../../network/summary.ts";
import { html, type Markup } from "../markup.ts";
import { formatCount } from "../numbers.ts";
import { displayWidth, truncate } from "../text.ts";
import { type Palette, palettes, type Theme } from "../theme.ts";
import { type Block, blockSize, drawBlock, drawRays, onLeftFace, rightFace, round, windowIn } from "./drawingBlocks.ts";
import { type Stage, stagesOf, towersSeen } from "./drawingStages.ts";

const margin = 22;
const columnGap = 16;
const lineHeight = 15;
/** Distance of lines of the title and of the legend. */
const titleHeight = 20;
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

/** Draws a network as SVG, in one row as wide as it needs, with what each of several processes sends in a training step if given. */
export function drawNetwork(network: Network, theme: Theme, exchanges?: StepExchanges): string {
  return drawNetworkWithin(network, theme, Number.POSITIVE_INFINITY, exchanges);
}

/**
 * Draws a network as SVG in rows of at most `room` units, unless two columns need more. A row begins with the block that the row before
 * ends with, paler, so that its connections are complete.
 */
export function drawNetworkWithin(network: Network, theme: Theme, room: number, exchanges?: StepExchanges): string {
  const stages = stagesOf(network, exchanges);
  const palette = palettes[theme];
  const words = [`${truncate(network.name, 60)}:`, ...totalsOf(network), ...divisionOf(exchanges)];
  const title = flow(words, (text) => textWidth(text) * 1.4, room);
  const legend = drawLegend(stages, palette, {
    room,
    top: margin + (title.lines - 1) * titleHeight + 2.4 * lineHeight,
  });
  let top = legend.bottom + margin + 0.6 * lineHeight;
  const rows = rowsOf(stages, room).map((row) => {
    const drawn = drawRow(row, top, palette);
    top = drawn.bottom;
    return drawn;
  });
  const width = Math.ceil(Math.max(legend.width, title.width, ...rows.map(({ right }) => right + margin)));
  const height = Math.ceil(top - lineHeight + margin / 2);
  const titleLines = Array.from({ length: title.lines }, (_, line) =>
    title.items.flatMap((placed) => (placed.line === line ? [placed.item] : [])).join(" "),
  );
  const heading = titleLines.map(
    (text, line) =>
      html`<text x="${margin}" y="${margin + lineHeight + line * titleHeight}" font-size="${fontSize + 3.5}" font-weight="bold">${text}</text>`,
  );
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="${fontSize}" fill="${palette.ink}"><title>${titleLines.join(" ")}</title><rect width="${width}" height="${height}" fill="${palette.background}"/>${heading}${legend.markup}${rows.map(({ markup }) => markup)}</svg>`
    .markup;
}

/** Places items side by side, in as many lines as they need. */
function flow<T>(items: readonly T[], widthOf: (item: T) => number, room: number) {
  let [x, line, width] = [margin, 0, 0];
  const placed = items.map((item) => {
    const own = widthOf(item);
    if (x > margin && x + own + margin > room) [x, line] = [margin, line + 1];
    const at = { item, x, line };
    x += own;
    width = Math.max(width, x + margin);
    return at;
  });
  return { items: placed, lines: line + 1, width };
}

/** Stages of a row; the first one is drawn in the row before, too, if `isContinued`. */
interface StageRow {
  readonly stages: readonly Stage[];
  readonly isContinued: boolean;
}

function rowsOf(stages: readonly Stage[], room: number): readonly StageRow[] {
  const rows: StageRow[] = [];
  let row: Stage[] = [];
  let width = 2 * margin;
  for (const stage of stages) {
    const own = columnWidth(stage) + columnGap;
    const last = row.at(-1);
    if (last && row.length > 1 && width + own - columnGap > room) {
      rows.push({ stages: row, isContinued: rows.length > 0 });
      row = [last];
      width = 2 * margin + columnWidth(last) + columnGap;
    }
    row.push(stage);
    width += own;
  }
  return [...rows, { stages: row, isContinued: rows.length > 0 }];
}

/** A row below `top`, with its captions. */
function drawRow({ stages, isContinued }: StageRow, top: number, palette: Palette) {
  const height = Math.max(...stages.map(heightOf));
  const columns = layOut(stages, top + height / 2);
  const captionTop = top + height + 1.8 * lineHeight;
  const lines = Math.max(...stages.map(({ captions }) => captions.length)) + 1;
  const repeats = (i: number) => i === 0 && isContinued;
  const blocks = columns.map((column, i) => {
    const block = drawColumn(columns[i - 1], column, palette);
    return repeats(i) ? html`<g opacity="0.4">${block}</g>` : block;
  });
  const captions = columns.map((column, i) => {
    const stage = repeats(i) ? { ...column.stage, captions: [] } : column.stage;
    return drawCaptions({ ...column, stage }, captionTop);
  });
  const last = columns.at(-1) as Column;
  return {
    markup: html`${blocks}${captions}`,
    right: last.left + last.width,
    bottom: captionTop + (lines + 1) * lineHeight,
  };
}

function totalsOf(network: Network): readonly string[] {
  const { parameters, macs } = summarize(network).totals;
  return [`${formatCount(parameters)} parameters,`, `${formatCount(macs)} MACs`];
}

/** Words of the title about several processes. */
function divisionOf(exchanges: StepExchanges | undefined): readonly string[] {
  if (!exchanges) return [];
  const { processes, parallel, batchSize, totalBytes } = exchanges;
  return [
    `· ${processes} processes, ${parallel}:`,
    `each sends ${formatBytes(totalBytes)} in a step of ${batchSize} images`,
  ];
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
    const width = columnWidth(stage);
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

function columnWidth(stage: Stage): number {
  const { thickness, depth } = sizeOfTower(stage);
  return Math.max(thickness + depth + 1.5 * columnGap, ...linesOf(stage).map(textWidth));
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

/** Legend of the colours in use, in lines from `top` on. */
function drawLegend(
  stages: readonly Stage[],
  { image, learned, derived, units, kernel, orange, ink }: Palette,
  { room, top }: { readonly room: number; readonly top: number },
) {
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
  const shown = entries.filter(([shows]) => shows);
  const { items, lines, width } = flow(shown, ([, , text]) => 16 + textWidth(text) + 10, room);
  const drawn = items.map(({ item: [, fill, text], x, line }) => {
    const y = top + line * titleHeight;
    return html`<rect x="${round(x)}" y="${y - 9}" width="11" height="11" fill="${fill}" stroke="${ink}" stroke-width="0.8"/><text x="${round(x + 16)}" y="${y}">${text}</text>`;
  });
  return { markup: html`<g>${drawn}</g>`, width, bottom: top + (lines - 1) * titleHeight };
}

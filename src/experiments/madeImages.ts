/** Made images of uneven shapes: an ellipse on noise, whose class is its shape and its place. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodePng } from "../image/files/decode.ts";
import type { Image } from "../image/image.ts";
import { fillUniform, randomStream } from "../random.ts";

const shapes = ["round", "long"] as const;
const places = ["middle", "end"] as const;
const classes = shapes.flatMap((shape) => places.map((place) => ({ shape, place })));

/** Area of every image, in pixels. */
const AREA = 72 * 72;
/** Largest aspect ratio, in both directions. */
const LONGEST = 3;
/** Aspect ratio of a long ellipse. */
const ELONGATION = 2.2;

/** Number of images of each part. */
export interface MadeCounts {
  readonly train: number;
  readonly test: number;
}

/**
 * Writes PNG files to class folders in train/ and test/, a function of the counts. Does nothing if they were written before.
 */
export async function writeMadeImages(folder: string, counts: MadeCounts): Promise<void> {
  const marker = `${folder}.json`;
  const text = `${JSON.stringify({ made: "ellipses on noise", ...counts })}\n`;
  if ((await readFile(marker, "utf8").catch(() => "")) === text) return;
  for (const part of ["train", "test"] as const) {
    for (const { shape, place } of classes) {
      await mkdir(join(folder, part, `${shape}-${place}`), { recursive: true });
    }
    for (let i = 0; i < counts[part]; i++) {
      const { shape, place } = classes[i % classes.length] as (typeof classes)[number];
      const file = join(folder, part, `${shape}-${place}`, `${String(i).padStart(5, "0")}.png`);
      await writeFile(file, await encodePng(makeImage(`${part} ${shape} ${place}`, i)));
    }
  }
  await writeFile(marker, text);
}

/** Image number i of a kind: shape and place of its ellipse are the last words of the kind. */
function makeImage(kind: string, i: number): Image {
  const draw = new Float64Array(4);
  fillUniform(randomStream(0, `made ${kind}`), i, draw);
  const [aspectDraw, axis, end, wander] = draw as unknown as [number, number, number, number];
  const aspect = LONGEST ** (2 * aspectDraw - 1);
  const width = Math.round(Math.sqrt(AREA * aspect));
  const height = Math.round(AREA / width);
  const short = Math.min(width, height);
  const ratio = kind.includes("long") ? ELONGATION : 1;
  // Both ellipses have the same area.
  const [long, thin] = [0.2 * short * Math.sqrt(ratio), (0.2 * short) / Math.sqrt(ratio)];
  const [rx, ry] = axis < 0.5 ? [long, thin] : [thin, long];
  const isEnd = kind.endsWith("end");
  const along = isEnd ? (end < 0.5 ? 0.15 : 0.85) : 0.45 + 0.1 * wander;
  const [fx, fy] = width >= height ? [along, 0.4 + 0.2 * wander] : [0.4 + 0.2 * wander, along];
  // The whole ellipse is in the image.
  const [cx, cy] = [clamp(fx * width, rx, width - rx), clamp(fy * height, ry, height - ry)];
  const noise = new Float64Array(width * height);
  fillUniform(randomStream(0, `noise ${kind}`), i, noise);
  const data = Uint8Array.from(noise, (value, p) => {
    const [x, y] = [(p % width) + 0.5, Math.floor(p / width) + 0.5];
    const isInside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1;
    return Math.round(40 + 80 * value + (isInside ? 100 : 0));
  });
  return { width, height, channels: 1, data };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

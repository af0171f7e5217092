/** Feature maps of an image, layer by layer. */
import { type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import type { Image } from "../image/image.ts";
import { openLayerOutputs } from "../model/layerOutputs.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { createPredictionInput } from "../model/predictionInput.ts";
import type { PlacedLayer } from "../network/network.ts";
import { drawImageRows, type ImageRows } from "../report/figures/imageRows.ts";
import { tile, zoom } from "../report/figures/tiles.ts";
import { formatCount, formatPercent } from "../report/numbers.ts";
import { formatShape, sizeOf } from "../shape.ts";
import { createInputImage, imageOfPlanes } from "./inputImage.ts";

/** Options of a figure of activations. */
export interface ActivationOptions extends Omit<OpenOptions, "batchSize" | "precision" | "calibration"> {
  /** Maps shown of a layer, the first ones. Default 32. */
  readonly maps?: number;
}

/** Statistics of a layer's outputs. */
export interface LayerActivity {
  readonly layer: string;
  readonly kind: string;
  readonly shape: readonly number[];
  readonly least: number;
  readonly greatest: number;
  readonly mean: number;
  /** Fraction of outputs above 0. */
  readonly positive: number;
}

/** Activation maps of a network's layers for one image, as a figure and as numbers. */
export interface ActivationSheet {
  readonly svg: string;
  readonly layers: readonly LayerActivity[];
}

const COLUMNS = 16;
const SHOWN_SIDE = 64;

/**
 * Draws the feature maps of every layer for one image. All maps of a layer share one scale. Black is 0 and white is the layer's largest
 * output; if some outputs are negative, middle grey is 0. Layers without effect at evaluation, such as dropout, are omitted.
 *
 * Throws the errors of `openClassifier`, and DataError for a file that is not an image.
 */
export async function drawActivations(
  path: string,
  asked: ImageInput,
  { maps = 2 * COLUMNS, ...options }: ActivationOptions = {},
): Promise<ActivationSheet> {
  const image = await readImageInput(asked);
  const opened = await openLayerOutputs(path, (network) => network.layers.map(({ name }) => name), options);
  try {
    const { preprocessing, network } = opened.model;
    const input = new Float32Array(sizeOf(network.input));
    createPredictionInput(preprocessing, options.onMessage)(image, input, 0);
    const outputs = await opened.forward(input, 1);
    const changed = opened.layers.flatMap((placed, i) => {
      const values = outputs[i] as Float32Array;
      return isSame(values, outputs[i - 1] ?? input) ? [] : [{ placed, values, activity: activityOf(placed, values) }];
    });
    const rows: ImageRows["rows"][number][] = [
      {
        heading: `input: ${formatShape(network.input)}`,
        images: [{ image: enlarged(createInputImage(preprocessing)(image), 2 * SHOWN_SIDE) }],
      },
      ...changed.map(({ placed, values, activity }) => ({
        heading: headingOf(activity, maps),
        images: [{ image: mapsImage(placed.outputShape, values, activity, maps) }],
      })),
    ];
    const svg = await drawImageRows({ title: `${network.name}: what ${nameOfInput(asked)} becomes`, rows });
    return { svg, layers: changed.map(({ activity }) => activity) };
  } finally {
    await opened.close();
  }
}

function isSame(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function activityOf({ layer, outputShape }: PlacedLayer, values: Float32Array): LayerActivity {
  let [least, greatest, sum, positive] = [Infinity, -Infinity, 0, 0];
  for (const value of values) {
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
    sum += value;
    if (value > 0) positive++;
  }
  const [mean, fraction] = [sum / values.length, positive / values.length];
  return { layer: layer.name, kind: layer.kind, shape: outputShape, least, greatest, mean, positive: fraction };
}

function headingOf({ layer, kind, shape, least, greatest, positive }: LayerActivity, maps: number): string {
  const [count = 0, ...extent] = shape;
  const shown = extent.length === 0 || count <= maps ? "" : `, the first ${maps}`;
  const what = extent.length === 0 ? `${formatCount(count)} units` : `${count} maps of ${formatShape(extent)}${shown}`;
  const range = `${least.toPrecision(3)} to ${greatest.toPrecision(3)}`.replaceAll("-", "−");
  return `${layer} (${kind}): ${what}; ${range}, ${formatPercent(positive)} above 0`;
}

/** Tiles maps, or draws a vector as one image, row by row. */
function mapsImage(
  shape: PlacedLayer["outputShape"],
  values: Float32Array,
  activity: LayerActivity,
  maps: number,
): Image {
  const largest = Math.max(Math.abs(activity.least), Math.abs(activity.greatest)) || 1;
  const level = (value: number) => (activity.least < 0 ? 127.5 * (1 + value / largest) : (255 * value) / largest);
  const [count = 1, height, width] = shape;
  if (height === undefined || width === undefined) {
    const across = Math.min(count, 128);
    const rows = Math.ceil(count / across);
    const padded = new Float32Array(across * rows).fill(Number.POSITIVE_INFINITY);
    padded.set(values);
    return zoom(imageOfPlanes(padded, { channels: 1, width: across, height: rows }, level), 8);
  }
  const plane = height * width;
  const images = Array.from({ length: Math.min(count, maps) }, (_, c) => {
    const own = values.subarray(c * plane, (c + 1) * plane);
    return enlarged(imageOfPlanes(own, { channels: 1, width, height }, level), SHOWN_SIDE);
  });
  return tile(images, COLUMNS, 6);
}

function enlarged(image: Image, side: number): Image {
  return zoom(image, Math.max(1, Math.round(side / Math.max(image.width, image.height))));
}

/** Images in the plane: those whose features are alike lie near each other. */

import { requireLimit } from "../dataset/limit.ts";
import { NEIGHBOURS_PER_PERPLEXITY } from "../embedding/affinities.ts";
import { coordinatesIn } from "../embedding/points.ts";
import { principalComponents } from "../embedding/principalComponents.ts";
import { type Plane, tsne } from "../embedding/tsne.ts";
import { ConfigError, DataError } from "../errors.ts";
import type { Image } from "../image/image.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { createResizer } from "../image/resize/resize.ts";
import { type LayerOutputs, lastHiddenLayer, openLayerOutputs } from "../model/layerOutputs.ts";
import type { OpenOptions } from "../model/openModel.ts";
import type { PlacedLayer } from "../network/network.ts";
import { drawMap } from "../report/charts/mapChart.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { createInputImage } from "./inputImage.ts";
import { computeFeatures, type MapImagesOptions, type MapSource, openMapImages, type SeenImage } from "./mapImages.ts";
import type { MapMethod } from "./mapMethods.ts";

export interface MapOptions
  extends Omit<OpenOptions, "batchSize" | "precision" | "calibration">,
    Omit<MapImagesOptions, "limit"> {
  /** Images at most. Default 2000. */
  readonly limit?: number;
  /** Whose outputs are the features. Default: the last hidden layer's. */
  readonly layer?: string;
  /** Default: t-SNE. */
  readonly method?: MapMethod;
  /** Of t-SNE: about so many neighbours of each image count. Default 30. */
  readonly perplexity?: number;
  /** Whether the images themselves are drawn too, as `picturesSvg`. */
  readonly withPictures?: boolean;
  readonly onProgress?: (images: number, of: number) => void;
  /** Of the principal components: their number is not known before, only the most that there can be. */
  readonly onComponentStep?: (steps: number, most: number) => void;
  /** Of t-SNE. */
  readonly onIteration?: (iterations: number, of: number) => void;
}

/** An image at its place. */
export interface MapPoint {
  /** Its position in the split; of a folder, among the images that could be read. */
  readonly index: number;
  readonly file?: string;
  /** Where it is known. */
  readonly className?: string;
  readonly predicted: string;
  readonly x: number;
  readonly y: number;
}

export interface PictureMap {
  readonly layer: string;
  readonly features: number;
  readonly method: MapMethod;
  readonly perplexity?: number;
  /** Of t-SNE: the Kullback–Leibler divergence that was left. */
  readonly divergence?: number;
  /** Share of the variance of each principal component; t-SNE begins with these. */
  readonly explainedVariance: readonly number[];
  readonly points: readonly MapPoint[];
}

/** A map with its drawings. */
type MapFigure = PictureMap & { readonly svg: string; readonly picturesSvg?: string };

const BATCH = 64;
/** Default limit, or the number of classes if that is more. */
const IMAGES = 2000;
/** Principal components that t-SNE begins with. Source: van der Maaten and Hinton 2008, §4.1, which has 30. */
const COMPONENTS = 50;

/**
 * Computes what a layer makes of images, and puts them on the plane: along the first two principal components, or by t-SNE of the first 50.
 *
 * Throws as `openLayerOutputs` and `openMapImages`; ConfigError for too few images; DataError for features that are all the same or not finite; the
 * signal's reason if that is aborted.
 */
export async function mapPictures(path: string, options: MapOptions = {}): Promise<MapFigure> {
  const { layer, limit } = options;
  requireLimit("limit", limit);
  const opened = await openLayerOutputs(
    path,
    (network) => [...new Set([layer ?? lastHiddenLayer(network), (network.layers.at(-1) as { name: string }).name])],
    { ...options, batchSize: BATCH },
  );
  try {
    const source = await openMapImages(path, opened, {
      ...options,
      limit: limit ?? Math.max(IMAGES, opened.model.classNames.length),
    });
    return await mapSource(opened, source, options).finally(() => source.close());
  } finally {
    await opened.close();
  }
}

async function mapSource(opened: LayerOutputs, source: MapSource, options: MapOptions): Promise<MapFigure> {
  const { method = "tsne", perplexity = 30, signal, onProgress, withPictures } = options;
  checkCount(source.length, method, perplexity);
  const { network, classNames, preprocessing } = opened.model;
  const grid = withPictures ? createImageGrid(preprocessing) : undefined;
  const watching = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) };
  const { pictures, length, values } = await computeFeatures(opened, source, (image) => grid?.add(image), watching);
  checkCount(pictures.length, method, perplexity);
  const features = { count: pictures.length, dimensions: length, values };
  const name = (opened.layers[0] as PlacedLayer).layer.name;
  const { plane, ...found } = await placesOf(features, name, method, { ...options, perplexity });
  const points = pictures.map((picture, i) => pointOf(picture, classNames, plane, i));
  const made: PictureMap = { layer: name, features: length, method, ...found, points };
  const what = `${network.name}: ${pictures.length.toLocaleString("en")} ${source.name}`;
  return {
    ...made,
    svg: await drawMap(made, classNames, what),
    ...(grid ? { picturesSvg: await grid.draw(plane, `${what} at their places`) } : {}),
  };
}

/** Throws ConfigError if there are too few. */
function checkCount(pictures: number, method: MapMethod, perplexity: number): void {
  const least = method === "tsne" ? Math.floor(NEIGHBOURS_PER_PERPLEXITY * perplexity) + 1 : 3;
  if (pictures >= least) return;
  const remedy = method === "tsne" ? "; give more pictures, a lower --perplexity, or --method pca" : "";
  const why = method === "tsne" ? ` for a perplexity of ${perplexity}` : "";
  throw new ConfigError(`map: expected at least ${least} pictures${why}, got ${pictures}${remedy}`);
}

async function placesOf(
  features: Parameters<typeof principalComponents>[0],
  layer: string,
  method: MapMethod,
  { perplexity, signal, onComponentStep, onIteration }: MapOptions & { readonly perplexity: number },
): Promise<{ readonly plane: Plane } & Pick<PictureMap, "explainedVariance" | "perplexity" | "divergence">> {
  const { points, explainedVariance } = await principalComponents(features, COMPONENTS, {
    signal,
    onProgress: onComponentStep,
  });
  if (explainedVariance[0] === 0) {
    throw new DataError(
      `layer "${layer}": expected features that differ from picture to picture, got the same for all`,
    );
  }
  if (method === "tsne") {
    const made = await tsne(points, { perplexity, signal, onProgress: onIteration });
    return { explainedVariance, perplexity, ...made };
  }
  return { explainedVariance, plane: { x: coordinatesIn(points, 0), y: coordinatesIn(points, 1) } };
}

function pointOf(
  { index, file, label, predicted }: SeenImage,
  classNames: readonly string[],
  { x, y }: Plane,
  i: number,
): MapPoint {
  return {
    index,
    ...(file === undefined ? {} : { file }),
    ...(label === undefined ? {} : { className: classNames[label] as string }),
    predicted: classNames[predicted] as string,
    x: x[i] as number,
    y: y[i] as number,
  };
}

export interface ImageGrid {
  /** Takes the next image, of which a small copy is kept. */
  add(image: Image): void;
  /** Draws them as SVG; the plane has a place for each, in order. */
  draw(plane: Plane, title: string): Promise<string>;
}

/** Pixels of a cell's side. */
const CELL = 36;
/** Cells of a side of the grid: about one for each image, within these. */
const [FEWEST, MOST] = [8, 44];

/** Makes one for images as a network sees them. */
function createImageGrid(preprocessing: Preprocessing): ImageGrid {
  const seen = createInputImage(preprocessing);
  const resize = createResizer("bilinear");
  const pictures: Image[] = [];
  return {
    add(image) {
      const picture = seen(image);
      const scale = CELL / Math.max(picture.width, picture.height);
      const size = { width: Math.round(picture.width * scale) || 1, height: Math.round(picture.height * scale) || 1 };
      const data = new Uint8ClampedArray(size.width * size.height * picture.channels);
      const whole = { left: 0, top: 0, ...size };
      resize(picture, { left: 0, top: 0, width: picture.width, height: picture.height }, size, whole, data);
      pictures.push({ ...size, channels: picture.channels, data: new Uint8Array(data.buffer) });
    },
    draw(plane, title) {
      const side = Math.min(Math.max(Math.ceil(Math.sqrt(pictures.length)), FEWEST), MOST);
      const chosen = nearestToCentres(plane, side);
      const image = laidOut(pictures, chosen, side);
      const heading = `${chosen.size.toLocaleString("en")} of them: in each cell the one nearest to its centre`;
      return drawImageRows({ title, rows: [{ heading, pictures: [{ image }] }] });
    },
  };
}

/** By cell, rows from the top: the number of the place nearest to its centre among those in it. Both axes have one scale. */
export function nearestToCentres({ x, y }: Plane, side: number): ReadonlyMap<number, number> {
  const [left, right, low, high] = [x.reduce(min), x.reduce(max), y.reduce(min), y.reduce(max)];
  const extent = Math.max(right - left, high - low) || 1;
  const nearest = new Map<number, { readonly i: number; readonly distance: number }>();
  for (let i = 0; i < x.length; i++) {
    const across = (0.5 + ((x[i] as number) - (left + right) / 2) / extent) * side;
    const down = (0.5 - ((y[i] as number) - (low + high) / 2) / extent) * side;
    const [column, row] = [Math.min(Math.floor(across), side - 1), Math.min(Math.floor(down), side - 1)];
    const distance = Math.hypot(across - column - 0.5, down - row - 0.5);
    const cell = row * side + column;
    if (distance < (nearest.get(cell)?.distance ?? Number.POSITIVE_INFINITY)) nearest.set(cell, { i, distance });
  }
  return new Map([...nearest].map(([cell, { i }]) => [cell, i]));
}

const min = (a: number, b: number) => Math.min(a, b);
const max = (a: number, b: number) => Math.max(a, b);

function laidOut(pictures: readonly Image[], chosen: ReadonlyMap<number, number>, side: number): Image {
  const channels = pictures[0]?.channels ?? 1;
  const width = side * CELL;
  const data = new Uint8Array(width * width * channels).fill(255);
  for (const [cell, i] of chosen) {
    const picture = pictures[i] as Image;
    const left = (cell % side) * CELL + Math.floor((CELL - picture.width) / 2);
    const top = Math.floor(cell / side) * CELL + Math.floor((CELL - picture.height) / 2);
    for (let row = 0; row < picture.height; row++) {
      const length = picture.width * channels;
      data.set(picture.data.subarray(row * length, (row + 1) * length), ((top + row) * width + left) * channels);
    }
  }
  return { width, height: width, channels, data };
}

/** Maps of images: images with similar features are close to each other. */

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

/** Options of a map of images. */
export interface MapOptions
  extends Omit<OpenOptions, "batchSize" | "precision" | "calibration">,
    Omit<MapImagesOptions, "limit"> {
  /** Images at most. Default 2000. */
  readonly limit?: number;
  /** Layer whose outputs are the features. Default: the last hidden layer. */
  readonly layer?: string;
  /** Projection method. Default: t-SNE. */
  readonly method?: MapMethod;
  /** Perplexity of t-SNE: roughly the number of effective neighbours. Default 30. */
  readonly perplexity?: number;
  /** Draws the images themselves too, as `picturesSvg`. */
  readonly withPictures?: boolean;
  /** Called after each batch of images. */
  readonly onProgress?: (images: number, of: number) => void;
  /** Progress of principal components. Their number is not known in advance, so `of` is an upper bound. */
  readonly onComponentStep?: (steps: number, most: number) => void;
  /** Progress of t-SNE. */
  readonly onIteration?: (iterations: number, of: number) => void;
}

/** An image and its position on the map. */
export interface MapPoint {
  /** Index in the split; for a folder, index among its readable images. */
  readonly index: number;
  readonly file?: string;
  /** Absent if unknown. */
  readonly className?: string;
  readonly predicted: string;
  readonly x: number;
  readonly y: number;
}

/** Images as points of a plane: neighbours have similar layer outputs. */
export interface PictureMap {
  readonly layer: string;
  readonly features: number;
  readonly method: MapMethod;
  readonly perplexity?: number;
  /** Final Kullback–Leibler divergence of t-SNE. */
  readonly divergence?: number;
  /** Fraction of the variance explained by each principal component; t-SNE starts from these components. */
  readonly explainedVariance: readonly number[];
  readonly points: readonly MapPoint[];
}

/** A map and its drawings. */
type MapFigure = PictureMap & { readonly svg: string; readonly picturesSvg?: string };

const BATCH = 64;
/** Default limit, raised to the number of classes if that is greater. */
const IMAGES = 2000;
/** Number of principal components t-SNE starts from. Source: van der Maaten and Hinton 2008, §4.1, uses 30. */
const COMPONENTS = 50;

/**
 * Computes a layer's outputs for images and projects them to two dimensions, by the first two principal components or by t-SNE of the first
 * 50.
 *
 * Throws the errors of `openLayerOutputs` and `openMapImages`, ConfigError for too few images, DataError for features that are constant or
 * not finite, and the signal's reason on abort.
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
  const { images, length, values } = await computeFeatures(opened, source, (image) => grid?.add(image), watching);
  checkCount(images.length, method, perplexity);
  const features = { count: images.length, dimensions: length, values };
  const name = (opened.layers[0] as PlacedLayer).layer.name;
  const { plane, ...found } = await placesOf(features, name, method, { ...options, perplexity });
  const points = images.map((image, i) => pointOf(image, classNames, plane, i));
  const made: PictureMap = { layer: name, features: length, method, ...found, points };
  const what = `${network.name}: ${images.length.toLocaleString("en")} ${source.name}`;
  return {
    ...made,
    svg: await drawMap(made, classNames, what),
    ...(grid ? { picturesSvg: await grid.draw(plane, `${what} at their positions`) } : {}),
  };
}

/** Throws ConfigError for too few images, and for a perplexity that is not above 1. */
function checkCount(images: number, method: MapMethod, perplexity: number): void {
  if (!(perplexity > 1)) throw new ConfigError(`perplexity: expected a number above 1, got ${perplexity}`);
  const least = method === "tsne" ? Math.floor(NEIGHBOURS_PER_PERPLEXITY * perplexity) + 1 : 3;
  if (images >= least) return;
  const remedy = method === "tsne" ? "; give more images, a lower --perplexity, or --method pca" : "";
  const why = method === "tsne" ? ` for a perplexity of ${perplexity}` : "";
  throw new ConfigError(`map: expected at least ${least} images${why}, got ${images}${remedy}`);
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
    throw new DataError(`layer "${layer}": expected features that differ between images, got the same for all`);
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
  /** Adds the next image; keeps a small copy. */
  add(image: Image): void;
  /** Draws the images as SVG at their positions in the plane, which are in the order of the images. */
  draw(plane: Plane, title: string): Promise<string>;
}

/** Side of a cell in pixels. */
const CELL = 36;
/** Bounds of the grid's side in cells; within them, the grid has about one cell per image. */
const [FEWEST, MOST] = [8, 44];

/** Creates a grid of images as the network receives them. */
function createImageGrid(preprocessing: Preprocessing): ImageGrid {
  const seen = createInputImage(preprocessing);
  const resize = createResizer("bilinear");
  const images: Image[] = [];
  return {
    add(image) {
      const fitted = seen(image);
      const scale = CELL / Math.max(fitted.width, fitted.height);
      const size = { width: Math.round(fitted.width * scale) || 1, height: Math.round(fitted.height * scale) || 1 };
      const data = new Uint8ClampedArray(size.width * size.height * fitted.channels);
      const whole = { left: 0, top: 0, ...size };
      resize(fitted, { left: 0, top: 0, width: fitted.width, height: fitted.height }, size, whole, data);
      images.push({ ...size, channels: fitted.channels, data: new Uint8Array(data.buffer) });
    },
    draw(plane, title) {
      const side = Math.min(Math.max(Math.ceil(Math.sqrt(images.length)), FEWEST), MOST);
      const chosen = nearestToCentres(plane, side);
      const image = laidOut(images, chosen, side);
      const heading = `${chosen.size.toLocaleString("en")} of them: the one nearest to the centre of each cell`;
      return drawImageRows({ title, rows: [{ heading, images: [{ image }] }] });
    },
  };
}

/**
 * For each cell, row by row from the top: index of the point nearest to its centre among the points in it. Both axes have the same scale.
 */
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

function laidOut(images: readonly Image[], chosen: ReadonlyMap<number, number>, side: number): Image {
  const channels = images[0]?.channels ?? 1;
  const width = side * CELL;
  const data = new Uint8Array(width * width * channels).fill(255);
  for (const [cell, i] of chosen) {
    const image = images[i] as Image;
    const left = (cell % side) * CELL + Math.floor((CELL - image.width) / 2);
    const top = Math.floor(cell / side) * CELL + Math.floor((CELL - image.height) / 2);
    for (let row = 0; row < image.height; row++) {
      const length = image.width * channels;
      data.set(image.data.subarray(row * length, (row + 1) * length), ((top + row) * width + left) * channels);
    }
  }
  return { width, height: width, channels, data };
}

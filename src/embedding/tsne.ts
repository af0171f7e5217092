/**
 * t-SNE: an embedding in the plane that preserves neighbourhoods. With y the embedded points and p(i,j) the affinities of the original
 * points,
 *
 *     w(i,j) = 1 / (1 + ‖yᵢ − yⱼ‖²);  Z = Σ w;  q(i,j) = w(i,j) / Z
 *     C = Σ p(i,j) ln (p(i,j) / q(i,j))
 *     ∂C/∂yᵢ = 4 Σⱼ (p(i,j) − q(i,j)) w(i,j) (yᵢ − yⱼ)
 *
 * C, the Kullback–Leibler divergence, is minimized by gradient descent with momentum and a gain per coordinate. Every iteration computes
 * all pairs, so the time is quadratic in the number of points. The result is deterministic: the embedding starts from the principal
 * components.
 *
 * Sources: van der Maaten and Hinton 2008, “Visualizing data using t-SNE”, §3 (momentum and gains); Belkina et al. 2019, “Automated
 * optimized parameters for t-SNE” (exaggeration and learning rate); Kobak and Berens 2019, “The art of using t-SNE for single-cell
 * transcriptomics” (initialization).
 */
import { type Affinities, affinitiesOf } from "./affinities.ts";
import { coordinatesIn, type Points, pause, type Watching } from "./points.ts";

/** Points in the plane. */
export interface Plane {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/** Options of the embedding. */
export interface TsneOptions extends Watching {
  /** Roughly the number of effective neighbours per point. */
  readonly perplexity: number;
  /** Number of iterations. Default 1000. */
  readonly iterations?: number | undefined;
}

/** Result of the embedding. */
export interface Tsne {
  readonly plane: Plane;
  /** Final value of C. */
  readonly divergence: number;
}

/** Early exaggeration: affinities are multiplied by this in the first iterations, so that clusters form before they spread. */
const EXAGGERATION = 12;
const EXAGGERATED_ITERATIONS = 250;
const MOMENTUM = { exaggerated: 0.5, plain: 0.8 } as const;
const LEAST_LEARNING_RATE = 50;
const LEAST_GAIN = 0.01;
/** Initial standard deviation along the first component. */
const FIRST_DEVIATION = 1e-4;

/**
 * Embeds more than 3·perplexity points, whose first two coordinates are their principal components.
 *
 * Throws the signal's reason on abort.
 */
export async function tsne(points: Points, options: TsneOptions): Promise<Tsne> {
  const { perplexity, iterations = 1000, onProgress } = options;
  const affinities = await affinitiesOf(points, perplexity, { signal: options.signal });
  const plane = firstPlaces(points);
  const gradient = { x: new Float64Array(points.count), y: new Float64Array(points.count) };
  // The gradient formula has a factor 4 that theirs omits.
  const learningRate = Math.max(points.count / EXAGGERATION / 4, LEAST_LEARNING_RATE);
  const descents = [createDescent(plane.x, gradient.x), createDescent(plane.y, gradient.y)];
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const isExaggerated = iteration <= EXAGGERATED_ITERATIONS;
    fillGradient(affinities, plane, gradient, isExaggerated ? EXAGGERATION : 1);
    const momentum = isExaggerated ? MOMENTUM.exaggerated : MOMENTUM.plain;
    for (const step of descents) step(learningRate, momentum);
    onProgress?.(iteration, iterations);
    await pause(options);
  }
  return { plane, divergence: divergenceOf(affinities, plane) };
}

function firstPlaces(points: Points): Plane {
  const [x, y] = [coordinatesIn(points, 0), coordinatesIn(points, 1)];
  const deviation = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / points.count);
  const scale = deviation > 0 ? FIRST_DEVIATION / deviation : 0;
  return { x: x.map((value) => scale * value), y: y.map((value) => scale * value) };
}

/**
 * Returns a function that updates one coordinate of all points: gain ← gain + 0.2 if the gradient opposes the last step, else 0.8 gain;
 * step ← momentum · step − rate · gain · gradient.
 */
function createDescent(places: Float64Array, gradient: Float64Array) {
  const steps = new Float64Array(places.length);
  const gains = new Float64Array(places.length).fill(1);
  return (learningRate: number, momentum: number) => {
    for (let i = 0; i < places.length; i++) {
      const [slope, last, gain] = [gradient[i] as number, steps[i] as number, gains[i] as number];
      const grown = slope * last < 0 ? gain + 0.2 : gain * 0.8;
      gains[i] = Math.max(grown, LEAST_GAIN);
      steps[i] = momentum * last - learningRate * (gains[i] as number) * slope;
      places[i] = (places[i] as number) + (steps[i] as number);
    }
  };
}

/** Computes ∂C/∂y with affinities multiplied by `exaggeration`. */
export function fillGradient(
  { starts, columns, values }: Affinities,
  { x, y }: Plane,
  gradient: Plane,
  exaggeration = 1,
): void {
  const normalizer = fillRepulsion({ x, y }, gradient);
  for (let i = 0; i < x.length; i++) {
    const [xi, yi, end] = [x[i] as number, y[i] as number, starts[i + 1] as number];
    let [pullX, pullY] = [0, 0];
    for (let at = starts[i] as number; at < end; at++) {
      const j = columns[at] as number;
      const dx = xi - (x[j] as number);
      const dy = yi - (y[j] as number);
      const pull = (values[at] as number) / (1 + dx * dx + dy * dy);
      pullX += pull * dx;
      pullY += pull * dy;
    }
    gradient.x[i] = 4 * (exaggeration * pullX - (gradient.x[i] as number) / normalizer);
    gradient.y[i] = 4 * (exaggeration * pullY - (gradient.y[i] as number) / normalizer);
  }
}

/** Computes Σⱼ w(i,j)² (yᵢ − yⱼ) and returns Z. Visits each pair once. */
function fillRepulsion({ x, y }: Plane, forces: Plane): number {
  const [forceX, forceY, count] = [forces.x.fill(0), forces.y.fill(0), x.length];
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const xi = x[i] as number;
    const yi = y[i] as number;
    let pushX = 0;
    let pushY = 0;
    for (let j = i + 1; j < count; j++) {
      const dx = xi - (x[j] as number);
      const dy = yi - (y[j] as number);
      const weight = 1 / (1 + dx * dx + dy * dy);
      sum += weight;
      const square = weight * weight;
      pushX += square * dx;
      pushY += square * dy;
      forceX[j] = (forceX[j] as number) - square * dx;
      forceY[j] = (forceY[j] as number) - square * dy;
    }
    forceX[i] = (forceX[i] as number) + pushX;
    forceY[i] = (forceY[i] as number) + pushY;
  }
  return 2 * sum;
}

/** C = Σ p ln (p Z / w). */
export function divergenceOf({ starts, columns, values }: Affinities, { x, y }: Plane): number {
  const normalizer = fillRepulsion({ x, y }, { x: new Float64Array(x.length), y: new Float64Array(y.length) });
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    for (let at = starts[i] as number; at < (starts[i + 1] as number); at++) {
      const [p, j] = [values[at] as number, columns[at] as number];
      const distance = ((x[i] as number) - (x[j] as number)) ** 2 + ((y[i] as number) - (y[j] as number)) ** 2;
      if (p > 0) sum += p * Math.log(p * normalizer * (1 + distance));
    }
  }
  return sum;
}

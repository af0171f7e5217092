/** Figures of a training step and its layers, from an engine's kernel profile. */
import type { KernelProfile, Program } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import type { LayerFigures } from "../report/tables/benchmarkReport.ts";
import type { WorkFigures } from "../report/tables/benchmarkWork.ts";
import { spread } from "../report/tables/spread.ts";

const REORDER = "reorder";
/** Kinds of work whose arithmetic is the layer's MACs. */
const multiplying: readonly string[] = ["convolution", "linear", "DFT transform", "DFT filters", "DFT product"];

/** Time of primitives that compute, and of those that only change a layout or format. */
export function secondsOf(account: readonly KernelProfile[]): {
  readonly primitives: number;
  readonly reorders: number;
} {
  const isReorder = ({ work }: KernelProfile) => work === REORDER;
  return { primitives: total(account.filter((work) => !isReorder(work))), reorders: total(account.filter(isReorder)) };
}

/**
 * Floating-point operations of a training step by the algorithms that ran: those that the account has, for the layers that it has them of, and the direct
 * algorithm's for all others.
 */
export function flopsOf(network: Network, batchSize: number, account: readonly KernelProfile[]): number {
  const counted = account.filter(({ flops }) => flops !== undefined);
  const layers = new Set(counted.map(layerOf));
  const own = counted.reduce((sum, { flops = 0 }) => sum + flops, 0);
  return own + directFlops(network, batchSize, (layer) => !layers.has(layer));
}

/**
 * Floating-point operations of a training step by the direct algorithms: two a multiply-accumulate, for each layer with weights once forward,
 * once for the gradient of its weights and once for that of its input, which the first of them does without.
 */
export function directFlops(
  network: Network,
  batchSize: number,
  counts: (layer: string) => boolean = () => true,
): number {
  const layers = summarize(network).layers.filter(({ macs }) => macs > 0);
  const passes = layers.map(({ name, macs }, i) => (counts(name) ? (i === 0 ? 2 : 3) * macs : 0));
  return 2 * batchSize * passes.reduce((sum, macs) => sum + macs, 0);
}

function total(account: readonly KernelProfile[]): number {
  return account.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Profile of one step, summed per layer and direction, in the order of the work. */
export function layerFigures(
  network: Network,
  batchSize: number,
  account: readonly KernelProfile[],
  algorithms: Program["algorithms"] = {},
): readonly LayerFigures[] {
  const macs = new Map(summarize(network).layers.map((layer) => [layer.name, layer.macs]));
  const groups = new Map<string, KernelProfile[]>();
  for (const work of account) {
    const key = `${work.direction} ${layerOf(work)}`;
    groups.set(key, [...(groups.get(key) ?? []), work]);
  }
  return [...groups.values()].map((works) => {
    const [{ direction }] = works as [KernelProfile];
    const layer = layerOf(works[0] as KernelProfile);
    const { primitives, reorders } = secondsOf(works);
    const multiplied = total(works.filter(({ work }) => multiplying.includes(work)));
    const flops = 2 * batchSize * (macs.get(layer) ?? 0);
    const algorithm = algorithms[layer];
    return {
      layer,
      direction,
      ...(algorithm === undefined ? {} : { algorithm }),
      implementations: [...new Set(works.map(({ work, implementation }) => `${work} ${implementation}`))],
      seconds: spread([primitives]),
      reorderSeconds: spread([reorders]),
      ...(multiplied > 0 ? { flopsPerSecond: spread([flops / multiplied]) } : {}),
    };
  });
}

/** Profile of one step, summed per kind of work, in the order of the work. */
export function workFigures(account: readonly KernelProfile[]): readonly WorkFigures[] {
  return [...new Set(account.map(({ work }) => work))].map((kind) => {
    const works = account.filter(({ work }) => work === kind);
    const seconds = total(works);
    const isCounted = works.every(({ flops }) => flops !== undefined);
    const flops = works.reduce((sum, { flops = 0 }) => sum + flops, 0);
    return {
      work: kind,
      seconds: spread([seconds]),
      ...(isCounted ? { flopsPerSecond: spread([flops / seconds]) } : {}),
    };
  });
}

/** Updates are listed by parameter: `conv1.weight` belongs to conv1. */
function layerOf({ layer, direction }: KernelProfile): string {
  return direction === "update" ? layer.slice(0, layer.lastIndexOf(".")) : layer;
}

/** Figures of a training step and its layers, from an engine's kernel profile. */
import type { KernelProfile } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import { type LayerFigures, spread } from "../report/tables/benchmarkReport.ts";

const REORDER = "reorder";
/** Kinds of work whose arithmetic is the layer's MACs. */
const multiplying: readonly string[] = ["convolution", "linear"];

/** Time of primitives that compute, and of those that only change a layout or format. */
export function secondsOf(account: readonly KernelProfile[]): {
  readonly primitives: number;
  readonly reorders: number;
} {
  const isReorder = ({ work }: KernelProfile) => work === REORDER;
  return { primitives: total(account.filter((work) => !isReorder(work))), reorders: total(account.filter(isReorder)) };
}

function total(account: readonly KernelProfile[]): number {
  return account.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Profile of one step, summed per layer and direction, in the order of the work. */
export function layerFigures(
  network: Network,
  batchSize: number,
  account: readonly KernelProfile[],
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
    return {
      layer,
      direction,
      implementations: [...new Set(works.map(({ work, implementation }) => `${work} ${implementation}`))],
      seconds: spread([primitives]),
      reorderSeconds: spread([reorders]),
      ...(multiplied > 0 ? { flopsPerSecond: spread([flops / multiplied]) } : {}),
    };
  });
}

/** Updates are listed by parameter: `conv1.weight` belongs to conv1. */
function layerOf({ layer, direction }: KernelProfile): string {
  return direction === "update" ? layer.slice(0, layer.lastIndexOf(".")) : layer;
}

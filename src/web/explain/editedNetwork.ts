/** A network that the reader changes: its layers as far as they fit. */
import { AlexNetError } from "../../errors.ts";
import type { AnyLayer } from "../../layers/layer.ts";
import { type Network, type PlacedLayer, parseNetwork, place } from "../../network/network.ts";
import { type NetworkSummary, summarize } from "../../network/summary.ts";

/** A changed network: figures of the layers that fit, and the problem of the first that does not. */
export interface Edited {
  readonly network: Network;
  readonly summary: NetworkSummary | undefined;
  readonly placed: readonly PlacedLayer[];
  readonly problem: string | undefined;
}

/** A number that the reader can change. */
export interface NumberOption {
  readonly name: string;
  readonly value: number;
}

/** Options of a layer that are numbers. */
export function numberOptions(layer: AnyLayer): readonly NumberOption[] {
  return Object.entries(layer).flatMap(([name, value]) => (typeof value === "number" ? [{ name, value }] : []));
}

/** The network with another value of an option; unchecked. */
export function withOption(network: Network, layerName: string, option: string, value: number): Network {
  const layers = network.layers.map((layer) =>
    layer.name === layerName ? ({ ...layer, [option]: value } as AnyLayer) : layer,
  );
  return { ...network, layers };
}

/** Checks a network, and computes the figures of all layers up to the first that does not fit. */
export function edit(network: Network): Edited {
  for (let count = network.layers.length; count > 0; count--) {
    const part = { ...network, layers: network.layers.slice(0, count) };
    if (problemOf(part) !== undefined) continue;
    const problem = count < network.layers.length ? problemOf(network) : undefined;
    return { network, summary: summarize(part), placed: place(part), problem };
  }
  return { network, summary: undefined, placed: [], problem: problemOf(network) };
}

function problemOf(network: Network): string | undefined {
  try {
    parseNetwork(network, network.name);
    return undefined;
  } catch (error) {
    if (error instanceof AlexNetError) return error.message.replace(`${network.name}: `, "");
    throw error;
  }
}

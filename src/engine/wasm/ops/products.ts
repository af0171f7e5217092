/** Convolutions and linear layers as products: their form, and the size of an item of work. */
import type { Op, OpKind } from "../../engine.ts";
import type { FeatureMap } from "../featureMap.ts";
import { PANEL_ROW } from "../kernels/tile.ts";
import type { PanelExtents } from "../weights.ts";
import type { StoredAddresses } from "./op.ts";
import type { Window } from "./window.ts";

/** A convolution or linear layer in terms of both. */
export interface Weighted {
  readonly op: Op<OpKind>;
  readonly input: FeatureMap;
  readonly output: FeatureMap;
  readonly window: Window;
  readonly panels: PanelExtents;
  readonly weight: StoredAddresses;
  readonly bias: StoredAddresses;
}

/** Items that a step is to have, for some threads to divide among them. */
export const ITEMS = 32;

export const panelBytes = ({ taps, lanes }: PanelExtents): number => taps * lanes * PANEL_ROW;

/** Pixels and panels of an item, with at most `most` pixels. */
export function itemSize(pixels: number, panels: number, most: number) {
  const pixelsOfItem = Math.min(pixels, most);
  const groups = Math.min(panels, Math.ceil(ITEMS / Math.ceil(pixels / pixelsOfItem)));
  return { pixelsOfItem, panelsOfItem: Math.ceil(panels / groups) };
}

/** Data that is embedded in the page of the browser app. */
import type { PackedModel } from "../model/compactModel.ts";

/** A network that the page offers. */
export interface OfferedModel {
  readonly name: string;
  /** Address of its weights file, relative to the page. */
  readonly file?: string;
  /** Weights in the page itself. */
  readonly packed?: PackedModel;
  /** True if the server predicts. */
  readonly isServed?: boolean;
}

/** Content of the page's data block. */
export interface PageData {
  readonly models: readonly OfferedModel[];
  /** Address of the sample file, relative to the page. */
  readonly sample?: string;
}

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
  /** Address of the service worker, relative to the page. */
  readonly offline?: string;
}

/** Files of a written folder, for its service worker. */
export interface OfflineSite {
  /** Digest of the content of all files. */
  readonly version: string;
  /** Addresses relative to the page, the page's own (`./`) among them. */
  readonly files: readonly string[];
}

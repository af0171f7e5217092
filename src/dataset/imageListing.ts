/** A picture file with its class. */
export interface ListedImage {
  /** Relative to the listing's root, with `/` between folders. */
  readonly path: string;
  readonly label: number;
}

/** A data set of picture files before any of them is opened: what there is, in which class and part. */
export interface ImageListing {
  /** What the data set is called: its own name, or the folder's absolute path. */
  readonly name: string;
  /** Absolute path of the folder that all paths are relative to. */
  readonly root: string;
  /** By label; sorted by code point. */
  readonly classNames: readonly string[];
  readonly train: readonly ListedImage[];
  /** What training is watched by, if there is such a part; else that is `test`. */
  readonly validation?: readonly ListedImage[];
  /** What the finished network is measured by; where a folder has no such part, it is `validation`. */
  readonly test: readonly ListedImage[];
  /** What was passed over, for people: one line each. */
  readonly notes: readonly string[];
}

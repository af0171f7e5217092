/** The parts that a data set can have. */
export const splitNames = ["test", "validation", "train"] as const;

/** What `--split` takes. */
export type SplitName = (typeof splitNames)[number];

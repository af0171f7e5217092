/** Label sets: the labels of images that may have several or none. An image's label is then the index of its set. */

/** Labels of an image: indices of classes, ascending. */
export type LabelSet = readonly number[];

/** Images with labels. */
export interface LabelledImages {
  readonly length: number;
  /** Class of image `index`, or with `labelSets` the index of its set. */
  label(index: number): number;
  /** All label sets. Absent if each image has one class. */
  readonly labelSets?: readonly LabelSet[] | undefined;
}

/** Classes of image `index`. */
export function classesAt({ label, labelSets }: Omit<LabelledImages, "length">, index: number): LabelSet {
  const own = label(index);
  return labelSets ? (labelSets[own] as LabelSet) : [own];
}

/** Names of labels as one text; empty if there are none. */
export function joinedLabels(labels: LabelSet, classNames: readonly string[]): string {
  return labels.map((label) => classNames[label] ?? String(label)).join("; ");
}

/** Distinct label sets, numbered in the order of their first use. */
export interface LabelSetIndex {
  readonly sets: readonly LabelSet[];
  /** Index of a set of ascending labels. */
  indexOf(labels: LabelSet): number;
}

/** Creates an index without sets. */
export function createLabelSetIndex(): LabelSetIndex {
  const sets: LabelSet[] = [];
  const known = new Map<string, number>();
  return {
    sets,
    indexOf(labels) {
      const key = labels.join(",");
      const index = known.get(key) ?? sets.push([...labels]) - 1;
      known.set(key, index);
      return index;
    },
  };
}

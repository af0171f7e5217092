/** Suspected label errors by confident learning. Source: Northcutt, Jiang and Chuang 2021, “Confident learning: estimating uncertainty in dataset labels”, §3. */

/** An image whose label is suspected to be wrong. Classes are numbers. */
export interface SuspectedLabel {
  /** Its position in the order of the images. */
  readonly image: number;
  readonly label: number;
  /** The class that the probabilities suggest. */
  readonly suggested: number;
  /** Probability of the suggested class, and of the label. */
  readonly probability: number;
  readonly labelProbability: number;
  /** Probability of the label minus the highest of the other classes. */
  readonly margin: number;
}

/** Result of confident learning. */
export interface ConfidentJoint {
  /** Mean probability of each class over the images with this label; null without images. */
  readonly thresholds: readonly (number | null)[];
  /** Images by label (row) and the most probable of the classes at or above their thresholds (column). Images without such a class are left out. */
  readonly confidentJoint: readonly (readonly number[])[];
  /** Estimated fraction of wrong labels: 1 − Σ Q[i][i], with Q the joint whose rows are scaled to the images of each label. */
  readonly estimatedErrors: number;
}

/** Examines labels class by class, so that the probabilities of one class are in use at a time. */
export interface LabelExaminer {
  /** Adds the probabilities of the next class, [images], in the order of the classes. */
  add(probabilities: ArrayLike<number>): void;
  /** The joint, and all suspects, the lowest margin first. Undefined if fewer than two classes have images. */
  result(): (ConfidentJoint & { readonly suspects: readonly SuspectedLabel[] }) | undefined;
}

/** Starts an examination of images with these labels. */
export function examineLabels(labels: ArrayLike<number>, classes: number): LabelExaminer {
  const { length } = labels;
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < length; i++) counts[labels[i] as number] = (counts[labels[i] as number] as number) + 1;
  const thresholds: (number | null)[] = [];
  const suggested = new Int32Array(length).fill(-1);
  const [confident, own, other] = [new Float64Array(length), new Float64Array(length), new Float64Array(length)];
  return {
    add(probabilities) {
      const c = thresholds.length;
      let sum = 0;
      for (let i = 0; i < length; i++) if (labels[i] === c) sum += probabilities[i] as number;
      const threshold = (counts[c] as number) > 0 ? sum / (counts[c] as number) : null;
      thresholds.push(threshold);
      for (let i = 0; i < length; i++) {
        const p = probabilities[i] as number;
        if (labels[i] === c) own[i] = p;
        else other[i] = Math.max(other[i] as number, p);
        // The first class of equal probabilities.
        if (threshold === null || p < threshold || p <= (confident[i] as number)) continue;
        confident[i] = p;
        suggested[i] = c;
      }
    },
    result() {
      if (counts.filter((images) => images > 0).length < 2) return undefined;
      const confidentJoint = counts.map(() => new Array<number>(classes).fill(0));
      const suspects: SuspectedLabel[] = [];
      for (let image = 0; image < length; image++) {
        const [label, found] = [labels[image] as number, suggested[image] as number];
        if (found < 0) continue;
        const row = confidentJoint[label] as number[];
        row[found] = (row[found] as number) + 1;
        if (found === label) continue;
        const labelProbability = own[image] as number;
        const margin = labelProbability - (other[image] as number);
        const probability = confident[image] as number;
        suspects.push({ image, label, suggested: found, probability, labelProbability, margin });
      }
      suspects.sort((a, b) => a.margin - b.margin || a.image - b.image);
      return { thresholds, confidentJoint, estimatedErrors: estimatedErrors(confidentJoint, counts), suspects };
    },
  };
}

/** A label without confident images counts as correct. */
function estimatedErrors(joint: readonly (readonly number[])[], counts: readonly number[]): number {
  let [wrong, all] = [0, 0];
  for (const [label, row] of joint.entries()) {
    const confident = row.reduce((sum, images) => sum + images, 0);
    const images = counts[label] as number;
    all += images;
    if (confident > 0) wrong += (images * (confident - (row[label] as number))) / confident;
  }
  return wrong / all;
}

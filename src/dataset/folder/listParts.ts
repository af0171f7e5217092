/** Images of scanned parts as lists with labels. */
import { createLabelSetIndex } from "../labelSets.ts";
import { sortedByPath } from "./codePoints.ts";
import type { FolderScan, ScannedPart } from "./folderScan.ts";
import type { ListedImage } from "./imageListing.ts";

/** Lists the images of parts with their labels; with label sets, those of all parts. */
export function createLists({ parts, groups }: FolderScan, classNames: readonly string[]) {
  const labels = new Map(classNames.map((name, label) => [name, label]));
  const sets = parts.some(({ unlabelled }) => unlabelled) ? createLabelSetIndex() : undefined;
  const listed = (path: string, label: number): ListedImage => {
    const group = groups?.get(path);
    return group === undefined ? { path, label } : { path, label, group };
  };
  return {
    labelSets: sets ? { labelSets: sets.sets } : {},
    /** Sorted by class, then by path; images with label sets by path. */
    list({ classes, unlabelled = [] }: ScannedPart): readonly ListedImage[] {
      const ofClasses = classes.flatMap(({ name, images }) => {
        const label = labels.get(name);
        return label === undefined ? [] : images.map(({ path }) => listed(path, label));
      });
      if (!sets) return ofClasses;
      const byPath = new Map(unlabelled.map(({ path }): [string, number[]] => [path, []]));
      for (const { path, label } of ofClasses) byPath.set(path, [...(byPath.get(path) ?? []), label]);
      const images = [...byPath].map(([path, own]) => ({ path, own: own.sort((a, b) => a - b) }));
      return sortedByPath(images).map(({ path, own }) => listed(path, sets.indexOf(own)));
    },
  };
}

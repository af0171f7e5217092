/** What is wrong with a folder of pictures by its names and numbers, without opening a picture. */
import { type Finding, finding, unbalancedRatio } from "./findings.ts";
import type { FolderScan, ScannedPart } from "./folderScan.ts";

/** Findings about parts, classes and odd entries. */
export function layoutFindings(scan: FolderScan): readonly Finding[] {
  const { parts, odd } = scan;
  const filled = parts.filter(hasPictures);
  return [
    ...classCount(parts),
    ...parts.filter((part) => !hasPictures(part)).flatMap(emptyPart),
    ...filled.flatMap(emptyClasses),
    ...missingClasses(filled),
    ...caseOnlyNames(parts),
    ...parts.slice(0, 1).flatMap(imbalance),
    ...odd.map(({ path, reason, detail }) => finding(reason, [path], detail)),
  ];
}

function hasPictures({ classes }: ScannedPart): boolean {
  return classes.some(({ pictures }) => pictures.length > 0);
}

/** The folder of a class, relative to the root. */
function classFolder({ folder }: ScannedPart, className: string): string {
  return folder === "" ? className : `${folder}/${className}`;
}

/** What training takes is the first part. */
function classCount([training]: readonly ScannedPart[]): readonly Finding[] {
  const filled = training?.classes.filter(({ pictures }) => pictures.length > 0) ?? [];
  if (filled.length >= 2) return [];
  const [only] = filled;
  return [finding("tooFewClasses", [], only ? `pictures of ${only.name} only` : "no class with pictures")];
}

function emptyPart({ name, folder }: ScannedPart): readonly Finding[] {
  return folder === "" ? [] : [finding("emptyPart", [folder], `no picture in a class for ${name}`)];
}

function emptyClasses(part: ScannedPart): readonly Finding[] {
  return part.classes
    .filter(({ pictures }) => pictures.length === 0)
    .map(({ name }) => finding("emptyClass", [classFolder(part, name)], "no picture"));
}

function missingClasses(parts: readonly ScannedPart[]): readonly Finding[] {
  const everywhere = new Set(parts.flatMap(({ classes }) => classes.map(({ name }) => name)));
  return parts.flatMap((part) => {
    const present = new Set(part.classes.map(({ name }) => name));
    return [...everywhere]
      .filter((name) => !present.has(name))
      .map((name) => finding("missingClass", [classFolder(part, name)], "no such folder"));
  });
}

function caseOnlyNames(parts: readonly ScannedPart[]): readonly Finding[] {
  const groups = new Map<string, { readonly name: string; readonly path: string }[]>();
  for (const part of parts) {
    for (const { name } of part.classes) {
      const group = groups.get(name.toLowerCase()) ?? [];
      group.push({ name, path: classFolder(part, name) });
      groups.set(name.toLowerCase(), group);
    }
  }
  return [...groups.values()].flatMap((group) => {
    const names = [...new Set(group.map(({ name }) => name))];
    const paths = group.map(({ path }) => path);
    return names.length < 2 ? [] : [finding("caseOnlyNames", paths, `classes ${names.join(", ")}`)];
  });
}

function imbalance(part: ScannedPart): readonly Finding[] {
  const counted = part.classes
    .map(({ name, pictures }) => ({ name, count: pictures.length }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
  const [largest, smallest] = [counted[0], counted.at(-1)];
  if (!largest || !smallest || largest.count <= unbalancedRatio * smallest.count) return [];
  const paths = [largest, smallest].map(({ name }) => classFolder(part, name));
  const ratio = Math.round(largest.count / smallest.count);
  return [finding("unbalanced", paths, `${largest.count} and ${smallest.count} pictures, ${ratio} to 1`)];
}

/** Places of tables and of the folder of their images, seen from each other. */
import path, { type PlatformPath } from "node:path";
import type { PathBase } from "./imageIndex.ts";

/** Path in a folder, with `/` between folders; undefined if it is outside, such as on another drive of Windows. */
export function pathBelow(folder: string, file: string, rules: PlatformPath = path): string | undefined {
  const below = rules.relative(folder, file);
  const isOutside = rules.isAbsolute(below) || below.split(rules.sep)[0] === "..";
  return isOutside ? undefined : below.replaceAll(rules.sep, "/");
}

/**
 * Folders that a table's paths may be relative to: that of the images, and that of the table. For a table outside, also the one above the images: an
 * archive of a folder is unpacked elsewhere, and its table may name that folder.
 */
export function basesOf(root: string, table: string, rules: PlatformPath = path): readonly PathBase[] {
  const folder = rules.dirname(table);
  const own = rules.basename(root);
  const [below, above] = [pathBelow(root, folder, rules), pathBelow(folder, root, rules)];
  if (below !== undefined) return below === "" ? [{ below }] : [{ below: "" }, { below }];
  return [{ below: "" }, ...[...new Set([above ?? own, own])].map((each) => ({ above: each }))];
}

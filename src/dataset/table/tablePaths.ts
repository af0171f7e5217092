/** Places of tables and of the folder of their images, seen from each other. */
import path, { type PlatformPath } from "node:path";
import type { PathBase } from "./imageIndex.ts";

/** Path in a folder, with `/` between folders; undefined if it is outside, such as on another drive of Windows. */
export function pathBelow(folder: string, file: string, rules: PlatformPath = path): string | undefined {
  const below = rules.relative(folder, file);
  const isOutside = rules.isAbsolute(below) || below.split(rules.sep)[0] === "..";
  return isOutside ? undefined : below.replaceAll(rules.sep, "/");
}

/** Folders that a table's paths may be relative to: that of the images, and that of the table. */
export function basesOf(root: string, table: string, rules: PlatformPath = path): readonly PathBase[] {
  const folder = rules.dirname(table);
  const [below, above] = [pathBelow(root, folder, rules), pathBelow(folder, root, rules)];
  if (below !== undefined) return below === "" ? [{ below }] : [{ below: "" }, { below }];
  return above === undefined ? [{ below: "" }] : [{ below: "" }, { above }];
}

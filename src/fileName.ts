/** A file name from any text: names in files never decide where something is written. */

import { posix, win32 } from "node:path";

/** At most 240 bytes in UTF-8. */
const MAX_CHARACTERS = 60;

/** Names of devices on Windows, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|conin|conout|(?:com|lpt)[0-9¹²³])(?:\.|$)/i;

/**
 * One component of a path, for a text of any origin: letters, digits, `.`, `_` and `-` stay, each run of other characters becomes `-`, and no
 * dot or dash begins or ends it. Windows accepts it too: `_` precedes the name of a device. `fallback` if nothing is left.
 */
export function fileNameOf(text: string, fallback: string): string {
  const safe = text.replace(/[^\p{L}\p{M}\p{N}._-]+/gu, "-").replace(/^[.-]+/, "");
  const short = [...safe]
    .slice(0, MAX_CHARACTERS)
    .join("")
    .replace(/[.-]+$/, "");
  return `${DEVICE.test(short) ? "_" : ""}${short}` || fallback;
}

/** Characters that Windows has in no name, besides those below the space; a colon would write to a hidden stream of another file. */
const NOT_ON_WINDOWS = /[<>:"|?*\\]/;

/** Reason why Windows cannot store one component of a path under its name; undefined if it can. */
function windowsProblem(part: string): string | undefined {
  if (DEVICE.test(part)) return `"${part}" is a device on Windows`;
  if (NOT_ON_WINDOWS.test(part) || [...part].some((character) => character < " "))
    return `"${part}" has a character that Windows does not store`;
  return /[. ]$/.test(part) ? `"${part}" ends in a dot or space, which Windows drops` : undefined;
}

/** Reason why Windows would not store a file or folder under the last name of a path; undefined if it would, and on other systems. */
export function unstoredName(path: string, platform: NodeJS.Platform = process.platform): string | undefined {
  return platform === "win32" ? windowsProblem(win32.basename(win32.resolve(path))) : undefined;
}

/**
 * A check of the paths, with `/` between folders, that are written to one folder of a system: it returns why a path would not be stored under its name,
 * or as another one. On Windows and macOS, names that differ by case only are the same: two classes would become one.
 */
export function createNameCheck(platform: NodeJS.Platform = process.platform): (path: string) => string | undefined {
  if (platform !== "win32" && platform !== "darwin") return () => undefined;
  const stored = new Map<string, string>();
  return (path) => {
    const parts = path.split("/");
    for (const [i, part] of parts.entries()) {
      const problem = platform === "win32" ? windowsProblem(part) : undefined;
      if (problem !== undefined) return problem;
      const prefix = parts.slice(0, i + 1).join("/");
      const key = prefix.normalize("NFC").toLowerCase();
      const other = stored.get(key) ?? prefix;
      if (other !== prefix) return `"${prefix}" and "${other}" are one name on this system`;
      stored.set(key, prefix);
    }
    return undefined;
  };
}

/** True for a name of an archive that stays inside the folder it is unpacked into, by the rules of every system. */
export function staysInside(name: string): boolean {
  const isRooted = posix.isAbsolute(name) || win32.parse(name).root !== "";
  return name !== "" && !isRooted && !name.split(/[\\/]/).includes("..");
}

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

/** True for a name of an archive that stays inside the folder it is unpacked into, by the rules of every system. */
export function staysInside(name: string): boolean {
  const isRooted = posix.isAbsolute(name) || win32.parse(name).root !== "";
  return name !== "" && !isRooted && !name.split(/[\\/]/).includes("..");
}

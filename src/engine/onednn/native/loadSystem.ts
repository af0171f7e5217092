/** Choice of the functions of this operating system. */
import { NativeError } from "../../../errors.ts";
import { loadKoffi } from "./koffi.ts";
import { posixConstants, posixSystem } from "./posix.ts";
import type { System } from "./system.ts";
import { windowsSystem } from "./windows.ts";

/** Throws NativeError on a system without an implementation. */
export function loadSystem(platform: NodeJS.Platform = process.platform): System {
  const koffi = loadKoffi();
  if (platform === "win32") return windowsSystem(koffi);
  const constants = posixConstants(platform);
  if (!constants) throw new NativeError(`oneDNN: not supported on ${platform}; choose another engine`);
  return posixSystem(koffi, constants);
}

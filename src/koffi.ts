/** Koffi, the foreign function interface: loaded at the first native call, since some platforms have no binary of it. */
import { createRequire } from "node:module";
import type Koffi from "koffi";
import { messageOf, NativeError } from "./errors.ts";

/** Functions of koffi. */
export type ForeignFunctions = typeof Koffi;

let loaded: ForeignFunctions | undefined;

/**
 * Loads koffi to call a library. Throws NativeError on a platform without a binary of koffi; `otherwise` is the remedy if the binary cannot be
 * installed.
 */
export function loadKoffiFor(library: string, otherwise: string): ForeignFunctions {
  try {
    loaded ??= createRequire(import.meta.url)("koffi") as ForeignFunctions;
    return loaded;
  } catch (cause) {
    throw new NativeError(
      `${library}: koffi has no binary for ${process.platform}-${process.arch} (${messageOf(cause)}); ` +
        `install the package @koromix/koffi-${process.platform}-${process.arch}, or ${otherwise}`,
      { cause },
    );
  }
}

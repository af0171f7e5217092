/** Koffi, the foreign function interface: loaded at the first native call, since some platforms have no binary of it. */
import { createRequire } from "node:module";
import type Koffi from "koffi";
import { messageOf, NativeError } from "../../../errors.ts";

/** Functions of koffi. */
export type ForeignFunctions = typeof Koffi;

let loaded: ForeignFunctions | undefined;

/** Throws NativeError on a platform without a binary of koffi: other engines work there. */
export function loadKoffi(): ForeignFunctions {
  try {
    loaded ??= createRequire(import.meta.url)("koffi") as ForeignFunctions;
    return loaded;
  } catch (cause) {
    throw new NativeError(
      `oneDNN: koffi has no binary for ${process.platform}-${process.arch} (${messageOf(cause)}); ` +
        `install the package @koromix/koffi-${process.platform}-${process.arch}, or choose another engine`,
      { cause },
    );
  }
}

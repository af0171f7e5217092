/** Koffi for calls of oneDNN. */
import { type ForeignFunctions, loadKoffiFor } from "../../../koffi.ts";

/** Throws NativeError on a platform without a binary of koffi: other engines work there. */
export function loadKoffi(): ForeignFunctions {
  return loadKoffiFor("oneDNN", "choose another engine");
}

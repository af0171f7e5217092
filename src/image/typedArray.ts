/** Recognition of typed arrays and buffers, also those of another realm, such as a test runner's or a frame's. */

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get;

/** The name of a typed array's class, such as `Uint8Array`; undefined for anything else. A Node.js `Buffer` is a `Uint8Array`. */
export function arrayNameOf(value: unknown): string | undefined {
  return tagOf?.call(value);
}

/** True for an array of bytes: a `Uint8Array` or a `Uint8ClampedArray`. */
export function isByteArray(value: unknown): value is Uint8Array | Uint8ClampedArray {
  const name = arrayNameOf(value);
  return name === "Uint8Array" || name === "Uint8ClampedArray";
}

/** True for an `ArrayBuffer` or a `SharedArrayBuffer`. */
export function isBuffer(value: unknown): value is ArrayBuffer {
  return ["[object ArrayBuffer]", "[object SharedArrayBuffer]"].includes(Object.prototype.toString.call(value));
}

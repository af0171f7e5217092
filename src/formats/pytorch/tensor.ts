/** Views of storages: strides to values in order. */
import { sizeOf } from "../../shape.ts";
import type { PickledTensor } from "./pickleValue.ts";

/** Whether the values lie in a row, in order. */
export function isContiguous({ shape, strides }: PickledTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] as number;
    if (extent !== 1 && strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
}

/** The values of a tensor in order, from all bytes of its storage: a view where they lie so. */
export function gather(tensor: PickledTensor, storage: Uint8Array): Uint8Array {
  const { offset, shape } = tensor;
  const { byteLength } = tensor.storage.dtype;
  const count = sizeOf(shape);
  if (count === 0 || isContiguous(tensor)) {
    return storage.subarray(offset * byteLength, (offset + count) * byteLength);
  }
  const bytes = new Uint8Array(count * byteLength);
  // As whole numbers of their size, which are copied as they are, not-a-numbers too.
  const word = words[byteLength] ?? Uint8Array;
  const aligned = storage.byteOffset % byteLength === 0 ? storage : new Uint8Array(storage);
  const from = new word(aligned.buffer as ArrayBuffer, aligned.byteOffset, storage.length / byteLength);
  copyStrided(tensor, from, new word(bytes.buffer));
  return bytes;
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;
const words: Readonly<Record<number, new (buffer: ArrayBuffer, offset?: number, length?: number) => Words>> = {
  1: Uint8Array,
  2: Uint16Array,
  4: Uint32Array,
  8: BigUint64Array,
};

/** Counts through the indices, the last axis fastest, and keeps the place that they stand for. */
function copyStrided({ offset, shape, strides }: PickledTensor, from: Words, to: Words): void {
  const index = shape.map(() => 0);
  let place = offset;
  for (let i = 0; i < to.length; i++) {
    to[i] = from[place] as number & bigint;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      place += strides[axis] as number;
      index[axis] = next;
      if (next < (shape[axis] as number)) break;
      index[axis] = 0;
      place -= next * (strides[axis] as number);
    }
  }
}

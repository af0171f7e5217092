/** Memories of programs: which one is used again, and how far addresses reach. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ShapeError } from "../../errors.ts";
import { Heap, MemoryPool } from "./memory.ts";

const PAGE = 65536;

test("a program takes the smallest memory that holds it, otherwise the largest", () => {
  const pool = new MemoryPool();
  const [small, middle, large] = [1, 2, 3].map(
    (initial) => new WebAssembly.Memory({ initial, maximum: 8, shared: true }),
  );
  assert.ok(small && middle && large);
  for (const memory of [large, small, middle]) pool.give(memory);
  assert.equal(pool.take(2 * PAGE), middle);
  assert.equal(pool.take(4 * PAGE), large);
  assert.equal(pool.take(1), small);
  assert.equal(pool.take(1), undefined);
  pool.give(small);
  pool.close();
  assert.equal(pool.take(1), undefined);
  pool.give(small);
  assert.equal(pool.take(1), undefined);
});

test("the last chunk of the address space is never allocated: a loop's end after it would wrap to 0", () => {
  const allocate = (bytes: number) => {
    const heap = new Heap();
    heap.allocate(bytes - heap.bytes);
    return heap.create();
  };
  assert.throws(() => allocate(2 ** 32 - PAGE + 1), ShapeError);
  assert.throws(() => allocate(2 ** 32), ShapeError);
});

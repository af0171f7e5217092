import assert from "node:assert/strict";
import { test } from "node:test";
import { ModuleBuilder } from "./assembler.ts";
import { call, f32, f32x4, i32, i32x4, int, load, select, sum, vector } from "./instructions.ts";

function instantiate(build: (module: ModuleBuilder) => void) {
  const module = new ModuleBuilder();
  build(module);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { host: { memory } });
  const functions = instance.exports as Readonly<Record<string, (...args: readonly number[]) => number>>;
  return { functions, floats: new Float32Array(memory.buffer) };
}

test("constants of every length, and their sums", () => {
  const constants = [
    0,
    1,
    -1,
    63,
    64,
    -64,
    -65,
    127,
    128,
    8191,
    8192,
    -8193,
    2 ** 20,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 32 - 1,
  ];
  const { functions } = instantiate((module) => {
    for (const [i, constant] of constants.entries()) {
      module.export(
        `f${i}`,
        module.function([], "i32", (body) => body.return(int(constant))),
      );
    }
  });
  for (const [i, constant] of constants.entries()) assert.equal(functions[`f${i}`]?.(), constant | 0, `${constant}`);
});

test("loops count as far as they say, and functions call each other", () => {
  const { functions } = instantiate((module) => {
    const triangle = module.function(["i32"], "i32", (body, n) => {
      const [i, total] = [body.i32(0), body.i32(0)];
      body.for(i, n, 1, () => body.increase(total, i));
      body.return(total);
    });
    module.export("triangle", triangle);
    const both = module.function(["i32", "i32"], "i32", (body, a, b) => {
      body.if(i32.eq(a, b), () => body.return(int(-7)));
      body.return(select(i32.lt(a, b), sum(call(triangle, a), 1), i32.sub(call(triangle, b), 1)));
    });
    module.export("both", both);
  });
  assert.deepEqual(
    [0, 1, 5, 100].map((n) => functions["triangle"]?.(n)),
    [0, 0, 10, 4950],
  );
  assert.deepEqual([functions["both"]?.(3, 5), functions["both"]?.(6, 5), functions["both"]?.(5, 5)], [4, 9, -7]);
});

test("vectors: lanes, comparisons and memory far from the address", () => {
  const { functions, floats } = instantiate((module) => {
    const run = module.function(["i32"], undefined, (body, address) => {
      const x = body.local("v128", load.v128(address, 1024));
      body.storeV128(address, f32x4.add(f32x4.mul(x, x), vector(0.5)), 2048);
      body.storeF32(address, f32.mul(f32x4.lane(x, 3), f32x4.lane(x, 1)), 4096);
      body.storeV128(address, i32x4.eq(i32x4.splat(address), i32x4.splat(16)), 8192);
    });
    module.export("run", run);
  });
  floats.set([1, -2, 3, 4.5], (16 + 1024) / 4);
  functions["run"]?.(16);
  assert.deepEqual([...floats.subarray((16 + 2048) / 4, (16 + 2048) / 4 + 4)], [1.5, 4.5, 9.5, 20.75]);
  assert.equal(floats[(16 + 4096) / 4], -9);
  assert.deepEqual([...new Int32Array(floats.buffer, 16 + 8192, 4)], [-1, -1, -1, -1]);
});

/** Dropout with masks of the Threefry generator, which are not stored: the backward pass draws them again. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import { type Callable, f32, i32, type Local, load, sum } from "../../../assembler/instructions.ts";
import { addKernel, control } from "./kernel.ts";
import { at } from "./tile.ts";

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** Threefry-2x32 with 20 rounds: two words at `out` from two words of key and two of counter. Source: see `src/random.ts`. */
function threefryFunction(module: ModuleBuilder): Callable<undefined> {
  return module.function(
    ["i32", "i32", "i32", "i32", "i32"],
    undefined,
    (body, key0, key1, counter0, counter1, out) => {
      const keys = [key0, key1, body.i32(i32.xor(i32.xor(key0, key1), 0x1bd11bda))] as const;
      const a = body.i32(i32.add(counter0, key0));
      const b = body.i32(i32.add(counter1, key1));
      for (let group = 0; group < 5; group++) {
        for (const by of ROTATIONS[group % 2] as readonly number[]) {
          body.increase(a, b);
          body.set(b, i32.xor(i32.rotateLeft(b, by), a));
        }
        body.increase(a, keys[(group + 1) % 3] as Local<"i32">);
        body.increase(b, sum(keys[(group + 2) % 3] as Local<"i32">, group + 1));
      }
      body.storeI32(out, a);
      body.storeI32(out, b, 4);
    },
  );
}

const fields = [
  ...(["x", "xImage", "xRow", "xPixel"] as const),
  ...(["y", "yImage", "yRow", "yPixel"] as const),
  ...(["channels", "rows", "columns"] as const),
  // Second word of the key; whether it is active at evaluation; bits for an element, and their threshold.
  ...(["key", "always", "bits", "threshold"] as const),
  // Address of the factors of dropped and of kept elements: 0 and 1 / (1 − probability).
  "factors",
] as const;

/** y ← x · mask. The mask is that of `fillDropoutMask`, with elements numbered in NCHW. Where dropout is off, a copy. */
export function dropoutKernel(module: ModuleBuilder) {
  const threefry = threefryFunction(module);
  return addKernel(module, fields, ({ body, arg, scratch, images, items }) => {
    const plane = body.i32(i32.mul(arg.rows, arg.columns));
    const words = body.i32(i32.shiftRight(i32.add(i32.mul(i32.mul(plane, arg.channels), arg.bits), 31), 5));
    const isActive = body.i32(i32.or(load.i32(control.training), arg.always));
    items(images, (image) => {
      body.if(isActive, () => {
        const pair = body.i32(0);
        const word = body.i32(scratch);
        const counter = body.i32(i32.add(load.i32(control.first), image));
        body.for(word, body.i32(at(scratch, words, 4)), 8, () => {
          body.call(threefry, load.i32(control.seed), arg.key, pair, counter, word);
          body.increase(pair, 1);
        });
      });
      const row = body.i32(0);
      const element = body.i32(0);
      body.for(row, arg.rows, 1, () => {
        const from = body.i32(sum(arg.x, i32.mul(image, arg.xImage), i32.mul(row, arg.xRow)));
        const to = body.i32(sum(arg.y, i32.mul(image, arg.yImage), i32.mul(row, arg.yRow)));
        const rowEnd = body.i32(at(to, arg.columns, arg.yPixel));
        body.for(to, rowEnd, arg.yPixel, () => {
          const channel = body.i32(0);
          const number = body.i32(element);
          body.for(channel, body.i32(i32.shiftLeft(arg.channels, 2)), 4, () => {
            const value = body.local("f32", load.f32(i32.add(from, channel)));
            body.if(isActive, () => {
              const bit = body.i32(i32.mul(number, arg.bits));
              const draw = drawOf(body, scratch, bit, arg.bits);
              const isKept = i32.shiftRight(sum(arg.threshold, -1, i32.sub(0, draw)), 31);
              body.set(value, f32.mul(value, load.f32(at(arg.factors, isKept, 4))));
            });
            body.storeF32(i32.add(to, channel), value);
            body.increase(number, plane);
          });
          body.clear(i32.add(to, channel), i32.sub(arg.yPixel, channel));
          body.increase(from, arg.xPixel);
          body.increase(element, 1);
        });
      });
    });
  });
}

/** The bits of an element, lowest first. */
function drawOf(body: Body, words: Local<"i32">, bit: Local<"i32">, bits: Local<"i32">): Local<"i32"> {
  const word = load.i32(i32.add(words, i32.shiftLeft(i32.shiftRight(bit, 5), 2)));
  const mask = i32.sub(i32.shiftLeft(1, bits), 1);
  return body.i32(i32.and(i32.shiftRight(word, i32.and(bit, 31)), mask));
}

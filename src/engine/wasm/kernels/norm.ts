/** Local response normalization, across channels and within them. */
import type { ModuleBuilder } from "../../../assembler/assembler.ts";
import {
  type Callable,
  call,
  f32x4,
  i32,
  type Local,
  load,
  sum,
  type V128,
  vector,
} from "../../../assembler/instructions.ts";
import { powerFunction } from "./exponential.ts";
import { addKernel, type KernelScope } from "./kernel.ts";

const mapFields = [
  ...(["x", "xImage", "xRow", "xPixel"] as const),
  ...(["y", "yImage", "yRow"] as const),
  // The sums s, and terms of the gradient: [N, H, W] pixels like those of y, without borders.
  ...(["s", "t", "sImage", "sRow"] as const),
  ...(["rows", "columns", "laneBytes"] as const),
  // Neighbours on each side; `within` is 1 for those in the same channel. k, alpha per neighbour, beta, and 4 · beta.
  ...(["half", "within", "k", "alpha", "beta", "quarters"] as const),
  // Bytes of a group of channels in a pixel, and of the zeros between two groups in scratch memory.
  ...(["groupBytes", "gapBytes"] as const),
] as const;

type Field = (typeof mapFields)[number];
type Scope = KernelScope<Field>;

/** Bytes of scratch memory for sums across channels: a pixel, with zeros for the neighbours on each side of every group. */
export const normScratch = (laneBytes: number, half: number, groups: number): number =>
  laneBytes + (groups + 1) * marginBytes(half) + 16;
/** Bytes of zeros before a group, and after the last. */
export const marginBytes = (half: number) => 16 * Math.ceil(half / 4);

/** Addresses of a vector in each map. */
interface Place {
  readonly image: Local<"i32">;
  readonly row: Local<"i32">;
  readonly column: Local<"i32">;
  readonly channel: Local<"i32">;
  /** In maps with the pitch of x, y and s. */
  readonly x: Local<"i32">;
  readonly y: Local<"i32">;
  readonly s: Local<"i32">;
}

/** Runs `visit` for every vector; `startPixel` before the vectors of each pixel. */
function forVectors(
  scope: Scope,
  startPixel: (pixel: Omit<Place, "channel">) => void,
  visit: (place: Place) => void,
): void {
  const { body, arg, images, items } = scope;
  items(body.i32(i32.mul(images, arg.rows)), (item) => {
    const image = body.i32(i32.div(item, arg.rows));
    const row = body.i32(i32.rem(item, arg.rows));
    const column = body.i32(0);
    const x = body.i32(sum(arg.x, i32.mul(image, arg.xImage), i32.mul(row, arg.xRow)));
    const y = body.i32(sum(arg.y, i32.mul(image, arg.yImage), i32.mul(row, arg.yRow)));
    const s = body.i32(sum(i32.mul(image, arg.sImage), i32.mul(row, arg.sRow)));
    body.for(column, arg.columns, 1, () => {
      startPixel({ image, row, column, x, y, s });
      const channel = body.i32(0);
      body.for(channel, arg.laneBytes, 16, () => {
        visit({ image, row, column, channel, x, y, s });
        for (const address of [y, s]) body.increase(address, 16);
      });
      body.increase(x, arg.xPixel);
    });
  });
}

/** A map whose values, or their squares, are summed over neighbours. */
interface Terms {
  readonly base: Local<"i32">;
  readonly ofImage: Local<"i32">;
  readonly ofRow: Local<"i32">;
  readonly ofPixel: Local<"i32">;
  readonly term: (value: Local<"v128">) => V128;
}

/** Sum of terms over the neighbours of each vector, as a local variable that `prepare` and `compute` set. */
function neighbourSum({ body, arg, scratch }: Scope, { base, ofImage, ofRow, ofPixel, term }: Terms) {
  const inside = body.i32(i32.add(scratch, arg.gapBytes));
  const gaps = i32.mul(arg.gapBytes, i32.div(sum(arg.laneBytes, arg.groupBytes, -1), arg.groupBytes));
  body.clear(scratch, sum(arg.gapBytes, gaps, arg.laneBytes, 16));
  const total = body.local("v128");
  const size = body.i32(sum(arg.half, arg.half, 1));
  return {
    /** Across channels: terms of a pixel into scratch memory. */
    prepare(from: ReturnType<typeof sum>): void {
      body.if(i32.not(arg.within), () => {
        const source = body.i32(from);
        const to = body.i32(inside);
        const end = body.i32(i32.add(source, arg.laneBytes));
        const group = body.i32(source);
        body.for(group, end, arg.groupBytes, () => {
          const endOfGroup = body.i32(i32.add(group, arg.groupBytes));
          body.if(i32.lt(end, endOfGroup), () => body.set(endOfGroup, end));
          body.for(source, endOfGroup, 16, () => {
            const value = body.local("v128", load.v128(source));
            body.storeV128(to, term(value));
            body.increase(to, 16);
          });
          body.increase(to, arg.gapBytes);
        });
      });
    },
    compute({ image, row, column, channel }: Place): Local<"v128"> {
      body.set(total, vector(0));
      body.if(
        arg.within,
        () => {
          const range = (center: Local<"i32">, extent: Local<"i32">) => {
            const first = body.i32(i32.sub(center, arg.half));
            body.if(i32.lt(first, 0), () => body.set(first, 0));
            const end = body.i32(sum(center, arg.half, 1));
            body.if(i32.lt(extent, end), () => body.set(end, extent));
            return [first, end] as const;
          };
          const [top, bottom] = range(row, arg.rows);
          const [left, right] = range(column, arg.columns);
          body.for(top, bottom, 1, () => {
            const start = sum(base, i32.mul(image, ofImage), i32.mul(top, ofRow), channel);
            const address = body.i32(i32.add(start, i32.mul(left, ofPixel)));
            const end = body.i32(i32.add(start, i32.mul(right, ofPixel)));
            body.for(address, end, ofPixel, () => {
              const value = body.local("v128", load.v128(address));
              body.set(total, f32x4.add(total, term(value)));
            });
          });
        },
        () => {
          const gap = i32.mul(arg.gapBytes, i32.div(channel, arg.groupBytes));
          const address = body.i32(i32.sub(sum(inside, channel, gap), i32.shiftLeft(arg.half, 2)));
          const end = body.i32(i32.add(address, i32.shiftLeft(size, 2)));
          body.for(address, end, 4, () => body.set(total, f32x4.add(total, load.v128(address))));
        },
      );
      return total;
    },
  };
}

/**
 * y ← x · s^−beta with s = k + alpha · Σ x² over the neighbours; s is stored unless its address is 0. Backward, from dy in place of x's: t ← dy · x · s^(−beta − 1) and
 * y ← dy · s^−beta; then y ← y − 2 · alpha · beta · x · Σ t.
 */
export function normKernels(module: ModuleBuilder, hostPower: Callable<"f64">) {
  const power = powerFunction(module, hostPower);
  const inverse = ({ arg, constant }: Scope, s: V128) => call(power, s, arg.quarters, constant("beta"));
  return {
    norm: addKernel(module, mapFields, (scope) => {
      const { body, arg, constant } = scope;
      const terms = { base: arg.x, ofImage: arg.xImage, ofRow: arg.xRow, ofPixel: arg.xPixel };
      const squares = neighbourSum(scope, { ...terms, term: (x) => f32x4.mul(x, x) });
      forVectors(
        scope,
        ({ x }) => squares.prepare(x),
        (place) => {
          const s = body.local("v128", f32x4.add(constant("k"), f32x4.mul(constant("alpha"), squares.compute(place))));
          body.if(arg.s, () => body.storeV128(i32.add(arg.s, place.s), s));
          body.storeV128(place.y, f32x4.mul(load.v128(i32.add(place.x, place.channel)), inverse(scope, s)));
        },
      );
    }),
    /** y holds dy · s^−beta after it; `t` the terms. The gradient dy is at z. */
    normTerms: addKernel(module, [...mapFields, "z", "zImage", "zRow", "zPixel"], (scope) => {
      const { body, arg } = scope;
      const z = body.local("i32");
      forVectors(
        scope,
        ({ image, row, column }) =>
          body.set(z, sum(arg.z, i32.mul(image, arg.zImage), i32.mul(row, arg.zRow), i32.mul(column, arg.zPixel))),
        ({ channel, x, y, s }) => {
          const gradient = load.v128(i32.add(z, channel));
          const scale = body.local("v128", load.v128(i32.add(arg.s, s)));
          const own = body.local("v128", f32x4.mul(gradient, inverse(scope, scale)));
          body.storeV128(y, own);
          body.storeV128(i32.add(arg.t, s), f32x4.div(f32x4.mul(own, load.v128(i32.add(x, channel))), scale));
        },
      );
    }),
    normBackward: addKernel(module, [...mapFields, "strength"], (scope) => {
      const { body, arg, constant } = scope;
      const terms = { base: arg.t, ofImage: arg.sImage, ofRow: arg.sRow, ofPixel: arg.laneBytes, term: (t: V128) => t };
      const total = neighbourSum(scope, terms);
      forVectors(
        scope,
        ({ s }) => total.prepare(i32.add(arg.t, s)),
        (place) => {
          const others = f32x4.mul(load.v128(i32.add(place.x, place.channel)), total.compute(place));
          body.storeV128(place.y, f32x4.sub(load.v128(place.y), f32x4.mul(constant("strength"), others)));
        },
      );
    }),
  };
}

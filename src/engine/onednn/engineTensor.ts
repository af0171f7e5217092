/** A tensor in the engine's layout. */
import type { Tensor } from "../engine.ts";
import type { Desc } from "./native/oneDnn.ts";

/** A tensor in the engine's layout: `parts` equal parts, one after the other, each in a layout of its own. */
export interface EngineTensor extends Tensor {
  readonly name: string;
  /** The parameter of which this is the value, gradient or velocity. */
  readonly parameter: string;
  readonly parts: number;
  /** Layout of a part. */
  readonly desc: Desc;
  /** Row-major layout of a part's extents. */
  readonly plain: Desc;
  /** Size of all parts. */
  readonly bytes: number;
  readonly address: bigint;
}

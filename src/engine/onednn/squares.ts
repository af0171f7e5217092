import { type Account, type Entry, execute } from "./account.ts";
import type { EngineTensor } from "./engineTensor.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Memory, PreparedArgs, Primitive, PrimitiveDesc, Session, ThreadedOneDnn } from "./native/oneDnn.ts";
import { cutIntoPieces, mostInPiece } from "./pieces.ts";

/** The library's threads share out sums, not what is in one. A power of 2. */
export const MAX_SUMS = 64;

/** The most sums, all of the same number of values, that a length can be shared out to. */
export function sumsOf(length: number): number {
  let sums = MAX_SUMS;
  while (length % sums !== 0) sums /= 2;
  return sums;
}

/** Memory for a primitive that wants some while it runs, as an argument. */
export type Scratchpad = (
  session: Session,
  primitiveDesc: PrimitiveDesc,
) => readonly (readonly ["scratchpad", Memory])[];

/** A piece and its squares. */
const TENSORS = 2;

/** The squares of a piece, then their sums. */
interface Step {
  readonly square: PreparedArgs;
  readonly sum: PreparedArgs;
}

interface Squares {
  readonly steps: readonly Step[];
  readonly primitives: readonly (readonly [square: Primitive, sum: Primitive, sums: number])[];
  readonly view: Float32Array;
  readonly entry: Entry;
}

/**
 * Sums of squares: the squares of a piece are made in a buffer that stays in cache, and summed there in f32 in up to 64 rows; rows and pieces are
 * added up in f64. Each row holds some hundred to some thousand squares, summed in the lanes of vectors, so that the sum is right to about 1e-7.
 */
export class SumsOfSquares {
  readonly #library: ThreadedOneDnn;
  readonly #libc: LibC;
  readonly #account: Account;
  readonly #session: Session;
  readonly #scratchpad: Scratchpad;
  readonly #known = new Map<EngineTensor, Squares>();
  /** The sums, and behind them the squares of a piece. */
  #buffer: MappedMemory | undefined;

  constructor(library: ThreadedOneDnn, libc: LibC, account: Account, scratchpad: Scratchpad) {
    this.#library = library;
    this.#libc = libc;
    this.#account = account;
    this.#scratchpad = scratchpad;
    this.#session = library.session();
  }

  of(tensor: EngineTensor): number {
    const known = this.#known.get(tensor) ?? this.#make(tensor);
    this.#known.set(tensor, known);
    const { steps, primitives, view, entry } = known;
    let total = 0;
    for (let i = 0; i < steps.length; i++) {
      const [square, sum, sums] = primitives[i === steps.length - 1 ? 1 : 0] as Squares["primitives"][number];
      const { square: squareArgs, sum: sumArgs } = steps[i] as Step;
      execute(this.#session, square, squareArgs, entry);
      execute(this.#session, sum, sumArgs, entry);
      for (let row = 0; row < sums; row++) total += view[row] as number;
    }
    return total;
  }

  close(): void {
    this.#session.close();
    this.#buffer?.unmap();
  }

  #make(tensor: EngineTensor): Squares {
    const session = this.#session;
    const { threads } = this.#library;
    const pieces = cutIntoPieces(session, tensor.bytes / 4, TENSORS, threads);
    this.#buffer ??= this.#libc.map(4 * (MAX_SUMS + mostInPiece(TENSORS, threads)));
    const { address, view } = this.#buffer;
    const squares = address + BigInt(4 * MAX_SUMS);
    const made = pieces.lengths.map((length, which) => {
      const data = pieces.descs[which as 0 | 1];
      const sums = sumsOf(length);
      const [from, to] = [session.plain([sums, length / sums], "f32"), session.plain([sums, 1], "f32")];
      const sum = session.reduceSum(from, to);
      const square = session.elementwise(data, [{ operation: "multiply", operand: data }]);
      const sumArgs = session.args([
        ["src", session.memory(from, squares)],
        ["dst", session.memory(to, address)],
        ...this.#scratchpad(session, sum),
      ]);
      const primitives = [session.primitive(square), session.primitive(sum), sums] as const;
      return { data, sumArgs, primitives, implementation: session.implementation(sum) };
    });
    const steps = Array.from({ length: pieces.count }, (_, i): Step => {
      const { data, sumArgs } = made[i === pieces.count - 1 ? 1 : 0] as (typeof made)[number];
      const memory = session.memory(data, tensor.address + BigInt(4 * pieces.length * i));
      const squareArgs = session.args([
        ["src", memory],
        ["operand0", memory],
        ["dst", session.memory(data, squares)],
      ]);
      return { square: squareArgs, sum: sumArgs };
    });
    const entry = this.#account.open(tensor.parameter, "update", "norm", made[0]?.implementation ?? "");
    return { steps, primitives: made.map(({ primitives }) => primitives), view: view(address, MAX_SUMS), entry };
  }
}

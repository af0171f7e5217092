/** Sums of squares, piece by piece, for the gradients' norm. */
import type { ConfiguredOneDnn } from "./configuredOneDnn.ts";
import type { EngineTensor } from "./engineTensor.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Desc, PreparedArgs, Primitive, Session } from "./native/oneDnn.ts";
import { cutIntoPieces, mostInPiece } from "./pieces.ts";
import { type Account, type Entry, execute } from "./profile.ts";
import { MAX_SUMS, rowSums, type Scratchpad } from "./rowSums.ts";

/** A piece and its squares. */
const TENSORS = 2;

/** Primitives for a piece of one length. */
interface Form {
  readonly data: Desc;
  readonly square: Primitive;
  readonly implementation: string;
  /** Primitive from squares to sums; absent if there are no more squares than sums. */
  readonly sum?: { readonly primitive: Primitive; readonly args: PreparedArgs };
  /** The sums, or the squares. */
  readonly results: Float32Array;
}

interface Squares {
  readonly forms: readonly [piece: Form, last: Form];
  /** The arguments of each piece's squares. */
  readonly args: readonly PreparedArgs[];
  readonly entry: Entry;
}

/**
 * Sums of squares. The squares of a piece are computed in a buffer that stays in cache, and summed there in f32 in up to 64 rows; rows and pieces are
 * summed in f64. Each row has hundreds to thousands of squares, summed in vector lanes, so the sum has a relative error of about 1e-7.
 */
export class SumsOfSquares {
  readonly #library: ConfiguredOneDnn;
  readonly #libc: LibC;
  readonly #account: Account;
  readonly #session: Session;
  readonly #scratchpad: Scratchpad;
  readonly #known = new Map<EngineTensor, Squares>();
  /** The sums, followed by the squares of a piece. */
  #buffer: MappedMemory | undefined;

  constructor(library: ConfiguredOneDnn, libc: LibC, account: Account, scratchpad: Scratchpad) {
    this.#library = library;
    this.#libc = libc;
    this.#account = account;
    this.#scratchpad = scratchpad;
    this.#session = library.session();
  }

  of(tensor: EngineTensor): number {
    const known = this.#known.get(tensor) ?? this.#make(tensor);
    this.#known.set(tensor, known);
    const { forms, args, entry } = known;
    let total = 0;
    for (let i = 0; i < args.length; i++) {
      const { square, sum, results } = forms[i === args.length - 1 ? 1 : 0];
      execute(this.#session, square, args[i] as PreparedArgs, entry);
      if (sum) execute(this.#session, sum.primitive, sum.args, entry);
      for (let row = 0; row < results.length; row++) total += results[row] as number;
    }
    return total;
  }

  close(): void {
    this.#session.close();
    this.#buffer?.unmap();
  }

  #make(tensor: EngineTensor): Squares {
    const session = this.#session;
    const pieces = cutIntoPieces(session, tensor.bytes / 4, TENSORS, this.#library.threads);
    const form = (which: 0 | 1) => this.#form(pieces.lengths[which], pieces.descs[which]);
    const forms = [form(0), form(1)] as const;
    const args = Array.from({ length: pieces.count }, (_, i) => {
      const { data } = forms[i === pieces.count - 1 ? 1 : 0];
      const memory = session.memory(data, tensor.address + BigInt(4 * pieces.length * i));
      return session.args([
        ["src", memory],
        ["operand0", memory],
        ["dst", session.memory(data, this.#squares().address)],
      ]);
    });
    const entry = this.#account.open(tensor.parameter, "update", "norm", forms[0].implementation);
    return { forms, args, entry };
  }

  #form(length: number, data: Desc): Form {
    const session = this.#session;
    const { address, sumsAddress, view } = this.#squares();
    const squaring = session.elementwise(data, data, [{ operation: "multiply", operand: data }]);
    const common = { data, square: session.primitive(squaring), implementation: session.implementation(squaring) };
    if (length <= MAX_SUMS) return { ...common, results: view(address, length) };
    const { rows, src, dst, primitiveDesc } = rowSums(session, length);
    const args = session.args([
      ["src", session.memory(src, address)],
      ["dst", session.memory(dst, sumsAddress)],
      ...this.#scratchpad(session, primitiveDesc),
    ]);
    const sum = { primitive: session.primitive(primitiveDesc), args };
    return { ...common, sum, results: view(sumsAddress, rows) };
  }

  #squares() {
    this.#buffer ??= this.#libc.map(4 * (MAX_SUMS + mostInPiece(TENSORS, this.#library.threads)));
    const { address: sumsAddress, view } = this.#buffer;
    return { sumsAddress, address: sumsAddress + BigInt(4 * MAX_SUMS), view };
  }
}

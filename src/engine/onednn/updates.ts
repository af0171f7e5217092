/** Element-wise assignments, piece by piece: the optimizer's arithmetic. */
import { ShapeError } from "../../errors.ts";
import type { Assignment, Scalar, Tensor, Update } from "../engine.ts";
import type { ConfiguredOneDnn } from "./configuredOneDnn.ts";
import type { EngineTensor } from "./engineTensor.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Desc, Memory, PreparedArgs, Primitive, Role, Session } from "./native/oneDnn.ts";
import { cutIntoPieces, type Pieces } from "./pieces.ts";
import { type Account, type Entry, execute } from "./profile.ts";
import { MAX_SUMS, rowSums, type Scratchpad } from "./rowSums.ts";

/** Work on every piece, the last of which may be smaller. */
interface Compiled {
  readonly primitives: readonly [piece: Primitive, last: Primitive];
  readonly args: readonly PreparedArgs[];
  readonly entry: Entry;
}

/** The tensors that a program has, as updates see them. */
export interface OwnTensors {
  /** Returns a tensor in the engine's form. Throws if it belongs to another program, or if the program is closed. */
  own(tensor: Tensor): EngineTensor;
  /** True if the sums of a tensor's values are wanted, so that a value that is not finite is found without another pass. */
  isWatched(tensor: EngineTensor): boolean;
  /** Receives sums over all values of a watched tensor after each run that changed it. */
  updated(tensor: EngineTensor, sums: Float32Array): void;
  readonly scratchpad: Scratchpad;
}

/** Compiles updates; owns their primitives and the memory of their scalars and sums. */
export class Updates {
  readonly #library: ConfiguredOneDnn;
  readonly #libc: LibC;
  readonly #account: Account;
  readonly #session: Session;
  readonly #tensors: OwnTensors;
  readonly #mapped: MappedMemory[] = [];

  constructor(library: ConfiguredOneDnn, libc: LibC, account: Account, tensors: OwnTensors) {
    this.#library = library;
    this.#libc = libc;
    this.#account = account;
    this.#tensors = tensors;
    this.#session = library.session();
  }

  /**
   * Runs all assignments on one piece of the tensors, then on the next, so that each finds the results of the previous one in cache. The watched
   * targets' new values are summed there too.
   *
   * Throws ShapeError if the tensors differ in shape or layout.
   */
  compile(assignments: readonly Assignment[]): Update {
    const session = this.#session;
    const { own, updated } = this.#tensors;
    const used = assignments.flatMap(({ target, from, operations }) => [
      target,
      from,
      ...operations.flatMap(([, operand]) => (operand && isTensor(operand) ? [operand] : [])),
    ]);
    const tensors = [...new Set(used)].map(own);
    const [first] = tensors;
    if (!first) return { run() {} };
    for (const tensor of tensors) requireLike(session, first, tensor);
    const pieces = cutIntoPieces(session, first.bytes / 4, tensors.length, this.#library.threads);
    const scalars = this.#placeScalars(assignments);
    const targets = [...new Set(assignments.map(({ target }) => own(target)))];
    const watched = targets
      .filter((target) => this.#tensors.isWatched(target) && target.bytes > 4 * MAX_SUMS)
      .map((target) => ({ target, ...this.#sums(target, pieces) }));
    const compiled = [
      ...assignments.map((assignment) => this.#compile(assignment, pieces, scalars.memory)),
      ...watched.map(({ compiled }) => compiled),
    ];
    return {
      run() {
        // Throws if the program is closed.
        own(first);
        scalars.fill();
        for (let piece = 0; piece < pieces.count; piece++) {
          const which = piece === pieces.count - 1 ? 1 : 0;
          for (const { primitives, args, entry } of compiled) {
            execute(session, primitives[which], args[piece] as PreparedArgs, entry);
          }
        }
        for (const { target, sums } of watched) updated(target, sums);
      },
    };
  }

  close(): void {
    this.#session.close();
    for (const memory of this.#mapped.splice(0)) memory.unmap();
  }

  /** Places every scalar in memory that the library reads. */
  #placeScalars(assignments: readonly Assignment[]) {
    const operands = assignments.flatMap(({ operations }) => operations.flatMap(([, operand]) => operand ?? []));
    const scalars = [...new Set(operands)].filter((operand): operand is Scalar => !isTensor(operand));
    const memory = this.#libc.map(4 * scalars.length);
    this.#mapped.push(memory);
    const values = memory.view(memory.address, scalars.length);
    const one = this.#session.plain([1], "f32");
    const memories = new Map(
      scalars.map((scalar, i) => [scalar, this.#session.memory(one, memory.address + BigInt(4 * i))]),
    );
    return {
      memory: (scalar: Scalar) => ({ desc: one, memory: memories.get(scalar) as Memory }),
      fill() {
        for (let i = 0; i < scalars.length; i++) values[i] = (scalars[i] as Scalar).value;
      },
    };
  }

  /** Sums of each piece: one for each thread, where its length divides. */
  #sums(target: EngineTensor, { length, count, lengths }: Pieces) {
    const session = this.#session;
    let most = 1;
    while (most < this.#library.threads && most < MAX_SUMS) most *= 2;
    const form = (values: number) => {
      const sums = rowSums(session, values, most);
      return { ...sums, scratchpad: this.#tensors.scratchpad(session, sums.primitiveDesc) };
    };
    const [whole, last] = [form(lengths[0]), form(lengths[1])];
    const total = (count - 1) * whole.rows + last.rows;
    const memory = this.#libc.map(4 * total);
    this.#mapped.push(memory);
    const args = Array.from({ length: count }, (_, i) => {
      const { src, dst, scratchpad } = i === count - 1 ? last : whole;
      return session.args([
        ["src", session.memory(src, target.address + BigInt(4 * length * i))],
        ["dst", session.memory(dst, memory.address + BigInt(4 * whole.rows * i))],
        ...scratchpad,
      ]);
    });
    const entry = this.#account.open(
      target.parameter,
      "update",
      "finite check",
      session.implementation(whole.primitiveDesc),
    );
    const primitives = [session.primitive(whole.primitiveDesc), session.primitive(last.primitiveDesc)] as const;
    return { compiled: { primitives, args, entry }, sums: memory.view(memory.address, total) };
  }

  #compile(
    { target, from, operations }: Assignment,
    { length, count, descs }: Pieces,
    scalarMemory: (scalar: Scalar) => { readonly desc: Desc; readonly memory: Memory },
  ): Compiled {
    const session = this.#session;
    const describe = (data: Desc) => {
      const descOf = (operand: Tensor | Scalar) => (isTensor(operand) ? data : scalarMemory(operand).desc);
      const [[operation, operand], ...others] = operations;
      const then = others.map((one) =>
        one.length === 1 ? { operation: one[0] } : { operation: one[0], operand: descOf(one[1]) },
      );
      return session.elementwise(data, data, [{ operation, operand: descOf(operand) }, ...then]);
    };
    const [whole, last] = [describe(descs[0]), describe(descs[1])];
    const args = Array.from({ length: count }, (_, i) => {
      const desc = descs[i === count - 1 ? 1 : 0];
      const memory = (tensor: Tensor) =>
        session.memory(desc, this.#tensors.own(tensor).address + BigInt(4 * length * i));
      return session.args([
        ["src", memory(from)],
        ["dst", memory(target)],
        ...operations.flatMap(([, operand], n): readonly (readonly [Role, Memory])[] => {
          if (operand === undefined) return [];
          return [[`operand${n}`, isTensor(operand) ? memory(operand) : scalarMemory(operand).memory]];
        }),
      ]);
    });
    const { parameter } = this.#tensors.own(target);
    const entry = this.#account.open(parameter, "update", "elementwise", session.implementation(whole));
    return { primitives: [session.primitive(whole), session.primitive(last)], args, entry };
  }
}

const isTensor = (operand: Tensor | Scalar): operand is Tensor => "shape" in operand;

function requireLike(session: Session, first: EngineTensor, { name, parts, desc }: EngineTensor): void {
  if (parts === first.parts && session.same(desc, first.desc)) return;
  throw new ShapeError(`${first.name}: cannot be combined with ${name}: another shape or layout`);
}

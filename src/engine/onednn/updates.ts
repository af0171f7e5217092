/** Element-wise assignments, piece by piece: the optimizer's arithmetic. */
import { ShapeError } from "../../errors.ts";
import type { Assignment, Scalar, Tensor, Update } from "../engine.ts";
import type { ConfiguredOneDnn } from "./configuredOneDnn.ts";
import type { EngineTensor } from "./engineTensor.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Desc, Memory, PreparedArgs, Primitive, Role, Session } from "./native/oneDnn.ts";
import { cutIntoPieces, type Pieces } from "./pieces.ts";
import { type Account, type Entry, execute } from "./profile.ts";

/** An assignment compiled for every piece, the last of which may be smaller. */
interface Compiled {
  readonly primitives: readonly [piece: Primitive, last: Primitive];
  readonly args: readonly PreparedArgs[];
  readonly entry: Entry;
}

/** Compiles updates; owns their primitives and the memory of their scalars. */
export class Updates {
  readonly #library: ConfiguredOneDnn;
  readonly #libc: LibC;
  readonly #account: Account;
  readonly #session: Session;
  readonly #own: (tensor: Tensor) => EngineTensor;
  readonly #scalars: MappedMemory[] = [];

  /** `own` gives a tensor as the engine has it, or throws if it is another program's. */
  constructor(library: ConfiguredOneDnn, libc: LibC, account: Account, own: (tensor: Tensor) => EngineTensor) {
    this.#library = library;
    this.#libc = libc;
    this.#account = account;
    this.#own = own;
    this.#session = library.session();
  }

  /**
   * Does all assignments on one piece of the tensors after the other: what one has written, the next one finds in cache.
   *
   * Throws ShapeError if the tensors differ in shape or layout.
   */
  compile(assignments: readonly Assignment[]): Update {
    const session = this.#session;
    const own = this.#own;
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
    const compiled = assignments.map((assignment) => this.#compile(assignment, pieces, scalars.memory));
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
      },
    };
  }

  close(): void {
    this.#session.close();
    for (const memory of this.#scalars.splice(0)) memory.unmap();
  }

  /** Gives every scalar a number in memory, for the library to find it. */
  #placeScalars(assignments: readonly Assignment[]) {
    const operands = assignments.flatMap(({ operations }) => operations.flatMap(([, operand]) => operand ?? []));
    const scalars = [...new Set(operands)].filter((operand): operand is Scalar => !isTensor(operand));
    const memory = this.#libc.map(4 * scalars.length);
    this.#scalars.push(memory);
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
      const memory = (tensor: Tensor) => session.memory(desc, this.#own(tensor).address + BigInt(4 * length * i));
      return session.args([
        ["src", memory(from)],
        ["dst", memory(target)],
        ...operations.flatMap(([, operand], n): readonly (readonly [Role, Memory])[] => {
          if (operand === undefined) return [];
          return [[`operand${n}`, isTensor(operand) ? memory(operand) : scalarMemory(operand).memory]];
        }),
      ]);
    });
    const { parameter } = this.#own(target);
    const entry = this.#account.open(parameter, "update", "elementwise", session.implementation(whole));
    return { primitives: [session.primitive(whole), session.primitive(last)], args, entry };
  }
}

const isTensor = (operand: Tensor | Scalar): operand is Tensor => "shape" in operand;

function requireLike(session: Session, first: EngineTensor, { name, parts, desc }: EngineTensor): void {
  if (parts === first.parts && session.same(desc, first.desc)) return;
  throw new ShapeError(`${first.name}: cannot be combined with ${name}: another shape or layout`);
}

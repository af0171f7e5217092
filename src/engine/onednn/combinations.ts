import { ShapeError } from "../../errors.ts";
import type { Combination, Tensor, Term } from "../engine.ts";
import { type Account, type Entry, execute } from "./account.ts";
import type { EngineTensor } from "./engineTensor.ts";
import type { PreparedArgs, Primitive, Session, ThreadedOneDnn } from "./native/oneDnn.ts";

/**
 * Values of a piece, for each thread: with velocity and gradient 768 KiB, which a core's own cache holds. So an optimizer reads and writes memory
 * once for all of its steps, not once for each.
 */
const PIECE_VALUES = 2 ** 16;

/** Scales kept for the same tensors: a rate that changes now and then makes a few, one that always changes none too many. */
const KEPT_SCALES = 4;

/** Some tensors cut into pieces: all that does not depend on scales. */
interface Pieces {
  readonly combinations: readonly Combination[];
  /** Of each piece, the arguments of each combination. */
  readonly args: readonly (readonly PreparedArgs[])[];
  /** Values of a piece, and of the last one. */
  readonly lengths: readonly [piece: number, last: number];
  /** Where the time of each combination is entered. */
  readonly entries: Entry[];
  readonly scaled: Scaled[];
}

/** The primitives for some scales: of each combination one for a piece, and one for the last. */
interface Scaled {
  readonly combinations: readonly Combination[];
  readonly primitives: readonly (readonly [piece: Primitive, last: Primitive])[];
  readonly session: Session;
}

/** Linear combinations of tensors, compiled when they are first asked for. */
export class Combinations {
  readonly #library: ThreadedOneDnn;
  readonly #account: Account;
  readonly #session: Session;
  readonly #own: (tensor: Tensor) => EngineTensor;
  readonly #known = new Map<Tensor, Pieces[]>();

  /** `own` gives a tensor as the engine has it, or throws if it is another program's. */
  constructor(library: ThreadedOneDnn, account: Account, own: (tensor: Tensor) => EngineTensor) {
    this.#library = library;
    this.#account = account;
    this.#own = own;
    this.#session = library.session();
  }

  /**
   * Does all of them on one piece of the tensors after the other: what one has written, the next one finds in cache.
   *
   * Throws ShapeError if the tensors differ in shape or layout.
   */
  run(combinations: readonly Combination[]): void {
    const [first] = combinations;
    if (!first) return;
    const target = this.#own(first.target);
    const known = this.#known.get(target) ?? [];
    this.#known.set(target, known);
    let pieces = known.find((candidate) => isSame(candidate.combinations, combinations, sameTensor));
    if (!pieces) {
      pieces = this.#cut(combinations);
      known.push(pieces);
    }
    const scaled =
      pieces.scaled.find((candidate) => isSame(candidate.combinations, combinations, sameTerm)) ??
      this.#scale(pieces, combinations);
    executePieces(pieces, scaled);
  }

  close(): void {
    for (const { session } of [...this.#known.values()].flat().flatMap(({ scaled }) => scaled)) session.close();
    this.#known.clear();
    this.#session.close();
  }

  #cut(combinations: readonly Combination[]): Pieces {
    const session = this.#session;
    const own = this.#own;
    const [{ target }] = combinations as [Combination];
    const tensors = combinations.map((one) => [one.target, ...ordered(one).map(([, tensor]) => tensor)].map(own));
    for (const tensor of tensors.flat()) requireLike(session, own(target), tensor);
    const length = own(target).bytes / 4;
    const piece = Math.min(length, PIECE_VALUES * this.#library.threads);
    const count = Math.ceil(length / piece);
    const lengths = [piece, length - (count - 1) * piece] as const;
    const descs = lengths.map((values) => session.plain([values], "f32"));
    const args = Array.from({ length: count }, (_, i) => {
      const desc = descs[i === count - 1 ? 1 : 0] as (typeof descs)[number];
      const memory = ({ address }: EngineTensor) => session.memory(desc, address + BigInt(4 * piece * i));
      return tensors.map(([to, ...terms]) =>
        session.args([
          ...terms.map((term, n) => [`term${n}`, memory(term)] as const),
          ["dst", memory(to as EngineTensor)],
        ]),
      );
    });
    return { combinations, args, lengths, entries: [], scaled: [] };
  }

  #scale({ lengths, entries, scaled }: Pieces, combinations: readonly Combination[]): Scaled {
    const session = this.#library.session();
    const primitives = combinations.map((one, i) => {
      const scales = ordered(one).map(([scale]) => scale);
      const sum = (length: number) => {
        const flat = session.plain([length], "f32");
        return session.sum(
          flat,
          scales,
          scales.map(() => flat),
        );
      };
      const piece = sum(lengths[0]);
      entries[i] ??= this.#account.open(
        this.#own(one.target).parameter,
        "update",
        "sum",
        session.implementation(piece),
      );
      return [session.primitive(piece), session.primitive(sum(lengths[1]))] as const;
    });
    const made = { combinations, primitives, session };
    scaled.push(made);
    if (scaled.length > KEPT_SCALES) scaled.shift()?.session.close();
    return made;
  }
}

function executePieces({ args, entries }: Pieces, { primitives, session }: Scaled): void {
  for (let piece = 0; piece < args.length; piece++) {
    const which = piece === args.length - 1 ? 1 : 0;
    const ofPiece = args[piece] as readonly PreparedArgs[];
    for (let i = 0; i < primitives.length; i++) {
      const primitive = (primitives[i] as Scaled["primitives"][number])[which];
      execute(session, primitive, ofPiece[i] as PreparedArgs, entries[i] as Entry);
    }
  }
}

/** The library may write over the first term only. */
function ordered({ target, terms }: Combination): readonly Term[] {
  return terms.toSorted((a, b) => Number(b[1] === target) - Number(a[1] === target));
}

function requireLike(session: Session, target: EngineTensor, { name, parts, desc }: EngineTensor): void {
  if (parts === target.parts && session.same(desc, target.desc)) return;
  throw new ShapeError(`${target.name}: cannot be combined with ${name}: another shape or layout`);
}

const sameTensor = (a: Term, b: Term) => a[1] === b[1];
const sameTerm = (a: Term, b: Term) => a[1] === b[1] && a[0] === b[0];

function isSame(a: readonly Combination[], b: readonly Combination[], same: (a: Term, b: Term) => boolean): boolean {
  return (
    a.length === b.length &&
    a.every(({ target, terms }, i) => {
      const other = b[i] as Combination;
      return (
        target === other.target &&
        terms.length === other.terms.length &&
        terms.every((term, n) => same(term, other.terms[n] as Term))
      );
    })
  );
}

/** The part of a session that the C APIs of oneDNN 2.x and 3.x share: everything after the creation of primitive descriptors. */
import { binary, type Library, out, POINTER as P, SCRATCHPAD_USER, textAt, types } from "./library.ts";
import type {
  BinaryOperation,
  Desc,
  Memory,
  PreparedArgs,
  Primitive,
  PrimitiveDesc,
  Role,
  Session,
  UnaryOperation,
} from "./oneDnn.ts";

const QUERY_NUM_OF_INPUTS = 3;
const QUERY_IMPL_INFO_STR = 8;
const argNumbers: Record<Exclude<Role, "outputScales" | `operand${number}` | `term${number}`>, number> = {
  src: 1,
  dst: 17,
  weights: 33,
  bias: 41,
  workspace: 64,
  scratchpad: 80,
  diffSrc: 129,
  diffDst: 145,
  diffWeights: 161,
  diffBias: 169,
  mean: 49,
  variance: 50,
  scale: 51,
  shift: 52,
  diffScale: 255,
  diffShift: 256,
};
const MULTIPLE_SRC = 1024;
const SRC_1 = 2;
const EXEC_ARG_BYTES = 16;

/** The underlying value of a branded handle; brands exist for the type checker only. */
export const asHandle = (value: Desc | PrimitiveDesc | Primitive | Memory): bigint => value as unknown as bigint;

/** Scope of handles that are freed together. */
export interface Scope {
  /** Creates a handle that the function `destroy` frees. */
  own<T = bigint>(destroy: string, make: (slot: BigUint64Array) => void): T;
  /** Frees all handles, in reverse order. */
  close(): void;
}

export function openScope({ call }: Library): Scope {
  const release: (() => void)[] = [];
  return {
    own<T>(destroy: string, make: (slot: BigUint64Array) => void) {
      const handle = out(make);
      release.push(() => call(destroy, P, handle));
      return handle as T;
    },
    close() {
      for (const free of release.splice(0).reverse()) free();
    },
  };
}

/** Creates a primitive descriptor that the scope owns. */
export function ownPrimitiveDesc(scope: Scope, make: (slot: BigUint64Array) => void): PrimitiveDesc {
  return scope.own("dnnl_primitive_desc_destroy", make);
}

/** Attributes of a primitive with post-operations; `append` adds them to the given list. */
export function attributesWith({ call }: Library, scope: Scope, append: (postOps: bigint) => void): bigint {
  const attr = scope.own("dnnl_primitive_attr_destroy", (slot) => call("dnnl_primitive_attr_create", P, slot));
  const postOps = scope.own("dnnl_post_ops_destroy", (slot) => call("dnnl_post_ops_create", P, slot));
  append(postOps);
  call("dnnl_primitive_attr_set_post_ops", types([P, 2]), attr, postOps);
  call("dnnl_primitive_attr_set_scratchpad_mode", `${P}, int`, attr, SCRATCHPAD_USER);
  return attr;
}

/** Attributes of a primitive that applies operations to its result; `appendUnary` adds one without operand. */
export function attributesWithOperations(
  library: Library,
  scope: Scope,
  operations: readonly (BinaryOperation | UnaryOperation)[],
  appendUnary: (postOps: bigint, operation: UnaryOperation["operation"]) => void,
): bigint {
  if (operations.length === 0) return library.attr;
  return attributesWith(library, scope, (postOps) => {
    for (const one of operations) {
      if (!("operand" in one)) appendUnary(postOps, one.operation);
      else library.call("dnnl_post_ops_append_binary", `${P}, int, ${P}`, postOps, binary[one.operation], one.operand);
    }
  });
}

/** The members of a session that do not depend on the version's descriptors. `postOperation` is the multiple that numbers post-operations. */
export function commonSession(
  library: Library,
  scope: Scope,
  postOperation: number,
): Pick<
  Session,
  "bytes" | "same" | "reorder" | "inputCount" | "implementation" | "primitive" | "memory" | "args" | "execute" | "close"
> {
  const { call, engine, attr } = library;
  return {
    bytes: library.bytesOf,
    same: library.isSame,
    reorder: (src, dst) =>
      ownPrimitiveDesc(scope, (slot) =>
        call("dnnl_reorder_primitive_desc_create", types([P, 6]), slot, src, engine, dst, engine, attr),
      ),
    inputCount(primitiveDesc) {
      const count = new Int32Array(1);
      const args = [primitiveDesc, QUERY_NUM_OF_INPUTS, 0, count];
      call("dnnl_primitive_desc_query", `${P}, int, int, ${P}`, ...args);
      return count[0] as number;
    },
    implementation(primitiveDesc) {
      const text = out((slot) =>
        call("dnnl_primitive_desc_query", `${P}, int, int, ${P}`, primitiveDesc, QUERY_IMPL_INFO_STR, 0, slot),
      );
      return textAt(text);
    },
    primitive: (primitiveDesc) =>
      scope.own("dnnl_primitive_destroy", (slot) => call("dnnl_primitive_create", types([P, 2]), slot, primitiveDesc)),
    memory: (desc, address) =>
      scope.own("dnnl_memory_destroy", (slot) =>
        call("dnnl_memory_create", types([P, 4]), slot, desc, engine, address),
      ),
    args: (memories) => execArgs(memories, postOperation),
    execute(primitive, args) {
      const bytes = args as unknown as Uint8Array;
      library.run(asHandle(primitive), bytes.length / EXEC_ARG_BYTES, bytes);
    },
    close: scope.close,
  };
}

/** An array of `dnnl_exec_arg_t`: a number, padding, a handle. */
function execArgs(memories: readonly (readonly [Role, Memory])[], postOperation: number): PreparedArgs {
  const bytes = new Uint8Array(EXEC_ARG_BYTES * memories.length);
  const view = new DataView(bytes.buffer);
  memories.forEach(([role, memory], i) => {
    view.setInt32(i * EXEC_ARG_BYTES, argNumber(role, postOperation), true);
    view.setBigUint64(i * EXEC_ARG_BYTES + 8, asHandle(memory), true);
  });
  return bytes as unknown as PreparedArgs;
}

function argNumber(role: Role, postOperation: number): number {
  if (role.startsWith("term")) return MULTIPLE_SRC + Number(role.slice(4));
  if (role.startsWith("operand")) return postOperation * Number(role.slice(7)) + SRC_1;
  // The first post-operation's operand in 3.x; 2.x holds the scales in the attributes and ignores the argument.
  if (role === "outputScales") return postOperation + SRC_1;
  return argNumbers[role as keyof typeof argNumbers];
}

/** The part of a session that the C APIs of oneDNN 2.x and 3.x have in common: what happens once primitive descriptors are there. */
import { type Library, out, POINTER as P, SCRATCHPAD_USER, textAt, types } from "./library.ts";
import type { Desc, Memory, PreparedArgs, Primitive, PrimitiveDesc, Role, Session } from "./oneDnn.ts";

const QUERY_IMPL_INFO_STR = 8;
const argNumbers: Record<Exclude<Role, `term${number}`>, number> = {
  src: 1,
  src1: 2,
  dst: 17,
  weights: 33,
  bias: 41,
  workspace: 64,
  scratchpad: 80,
  diffSrc: 129,
  diffDst: 145,
  diffWeights: 161,
  diffBias: 169,
};
const MULTIPLE_SRC = 1024;
const EXEC_ARG_BYTES = 16;

/** The brands exist for the type checker; this is the value behind them. */
export const asHandle = (value: Desc | PrimitiveDesc | Primitive | Memory): bigint => value as unknown as bigint;

/** Handles that are freed together. */
export interface Scope {
  /** Makes a handle that the function `destroy` will free. */
  own<T = bigint>(destroy: string, make: (slot: BigUint64Array) => void): T;
  /** Frees all, in reverse. */
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

/** Makes a primitive descriptor that the scope owns. */
export function ownPrimitiveDesc(scope: Scope, make: (slot: BigUint64Array) => void): PrimitiveDesc {
  return scope.own("dnnl_primitive_desc_destroy", make);
}

/** Attributes of a primitive that does something to its result as well; `append` enters that in the list given. */
export function attributesWith({ call }: Library, scope: Scope, append: (postOps: bigint) => void): bigint {
  const attr = scope.own("dnnl_primitive_attr_destroy", (slot) => call("dnnl_primitive_attr_create", P, slot));
  const postOps = scope.own("dnnl_post_ops_destroy", (slot) => call("dnnl_post_ops_create", P, slot));
  append(postOps);
  call("dnnl_primitive_attr_set_post_ops", types([P, 2]), attr, postOps);
  call("dnnl_primitive_attr_set_scratchpad_mode", `${P}, int`, attr, SCRATCHPAD_USER);
  return attr;
}

/** The members of a session that do not depend on how things are described. */
export function commonSession(
  library: Library,
  scope: Scope,
): Pick<
  Session,
  "bytes" | "same" | "reorder" | "implementation" | "primitive" | "memory" | "args" | "execute" | "close"
> {
  const { call, engine, attr } = library;
  return {
    bytes: library.bytesOf,
    same: library.isSame,
    reorder: (src, dst) =>
      ownPrimitiveDesc(scope, (slot) =>
        call("dnnl_reorder_primitive_desc_create", types([P, 6]), slot, src, engine, dst, engine, attr),
      ),
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
    args: execArgs,
    execute(primitive, args) {
      const bytes = args as unknown as Uint8Array;
      library.run(asHandle(primitive), bytes.length / EXEC_ARG_BYTES, bytes);
    },
    close: scope.close,
  };
}

/** An array of `dnnl_exec_arg_t`: a number, padding, a handle. */
function execArgs(memories: readonly (readonly [Role, Memory])[]): PreparedArgs {
  const bytes = new Uint8Array(EXEC_ARG_BYTES * memories.length);
  const view = new DataView(bytes.buffer);
  memories.forEach(([role, memory], i) => {
    view.setInt32(i * EXEC_ARG_BYTES, argNumber(role), true);
    view.setBigUint64(i * EXEC_ARG_BYTES + 8, asHandle(memory), true);
  });
  return bytes as unknown as PreparedArgs;
}

function argNumber(role: Role): number {
  return role.startsWith("term") ? MULTIPLE_SRC + Number(role.slice(4)) : argNumbers[role as keyof typeof argNumbers];
}

/** Programs for inference in int8. */
import type { Program } from "../../engine.ts";
import type { ConfiguredOneDnn } from "../configuredOneDnn.ts";
import type { LibC } from "../native/libc.ts";
import { commonMembers, forwardPass, releaseOnFailure, scratchOf } from "../program.ts";
import { addInt8Forward } from "./chain.ts";
import type { Int8Request } from "./op.ts";

/**
 * Compiles a chain of operations for inference in int8, by the request's scheme. The program's weights are written in f32 and stored in int8.
 *
 * Throws ConfigError without a scheme, or for an operation that int8 cannot compute.
 */
export function compileInt8(library: ConfiguredOneDnn, libc: LibC, request: Int8Request): Program {
  return releaseOnFailure(library, libc, (session, tensors, account, map) => {
    const { weights, ...forward } = addInt8Forward(session, tensors, request, account, libc.share);
    const end = forward.plan.length;
    const memory = forward.plan.finish(map);
    const run = forwardPass(forward, request, memory.phase(0, end));
    return {
      ...commonMembers(forward, request, memory, account),
      parameters: [...forward.parameters.values()],
      scratch: scratchOf(forward, memory),
      write: async (tensor, values) => weights.write(tensor, values),
      forward: async (images, count, draws) => run(images, count, draws).slice(),
    };
  });
}

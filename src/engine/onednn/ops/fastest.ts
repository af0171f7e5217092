/** Choice of a primitive by its implementation. */
import type { PrimitiveDesc } from "../native/oneDnn.ts";
import type { Plan } from "../plan.ts";

/** Slow implementations, the worst first: plain loops, and matrix products of copied windows. */
const slow = [/(^|_)ref/, /(^|:)gemm/];

/**
 * The first candidate with an optimized kernel, or else the best of them. The choice depends only on the request, the library and the processor, not on
 * a timing.
 */
export function fastest<C extends { readonly primitiveDesc: PrimitiveDesc }>(plan: Plan, candidates: Iterable<C>): C {
  const kept: C[] = [];
  const rank = ({ primitiveDesc }: C) => {
    const name = plan.session.implementation(primitiveDesc);
    const index = slow.findIndex((pattern) => pattern.test(name));
    return index < 0 ? slow.length : index;
  };
  for (const candidate of candidates) {
    if (rank(candidate) === slow.length) return candidate;
    kept.push(candidate);
  }
  const [first, ...others] = kept;
  if (!first) throw new Error("nothing to choose from");
  return others.reduce((best, next) => (rank(next) > rank(best) ? next : best), first);
}

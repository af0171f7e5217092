/** Finds the weights in a checkpoint. */
import type { PickleDict, PickledTensor, PickleValue } from "./pickleValue.ts";

/** What a checkpoint's weights are called, the most telling name first. */
const usualNames: readonly string[] = ["state_dict", "model_state_dict", "model", "net", "network", "weights"];
/** A state dict lies at the top of a checkpoint, or little below. */
const MAX_DEPTH = 4;

/**
 * The tensors of a state dict: of the value itself, or of a dict in it. Where there are several, such as the state of an optimizer, the one with a
 * usual name counts, else the only one that is nearest to the top.
 *
 * Throws Error saying what was found instead.
 */
export function findStateDict(root: PickleValue): ReadonlyMap<string, PickledTensor> {
  const seen = new Set<PickleDict>();
  let level: readonly Found[] = isDict(root) ? [{ path: [], dict: root }] : [];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    const fresh = level.filter(({ dict }) => !seen.has(dict) && seen.add(dict));
    const candidates = fresh.flatMap(({ path, dict }) => {
      const tensors = tensorsOf(dict);
      return tensors ? [{ path, tensors }] : [];
    });
    const chosen = candidates.length === 1 ? candidates[0] : candidates.find(({ path }) => rankOf(path) !== undefined);
    if (chosen) return chosen.tensors;
    if (candidates.length > 1) {
      const names = candidates.map(({ path }) => path.join("."));
      throw new Error(`several dicts of tensors: ${names.join(", ")}; save the one that is meant`);
    }
    level = fresh.flatMap(nested).toSorted((a, b) => (rankOf(a.path) ?? Infinity) - (rankOf(b.path) ?? Infinity));
  }
  throw new Error("no state dict in it: expected a dict of tensors by name, or one that holds such a dict");
}

interface Found {
  readonly path: readonly string[];
  readonly dict: PickleDict;
}

function nested({ path, dict }: Found): readonly Found[] {
  return [...dict.items].flatMap(([key, value]) =>
    isDict(value) ? [{ path: [...path, String(key)], dict: value }] : [],
  );
}

function rankOf(path: readonly string[]): number | undefined {
  const rank = usualNames.indexOf(path.at(-1) ?? "");
  return rank < 0 ? undefined : rank;
}

function isDict(value: PickleValue): value is PickleDict {
  return typeof value === "object" && value !== null && value.type === "dict";
}

function tensorsOf({ items }: PickleDict): ReadonlyMap<string, PickledTensor> | undefined {
  const tensors = new Map<string, PickledTensor>();
  for (const [key, value] of items) {
    if (typeof key !== "string" || typeof value !== "object" || value?.type !== "tensor") return undefined;
    tensors.set(key, value);
  }
  return tensors.size > 0 ? tensors : undefined;
}

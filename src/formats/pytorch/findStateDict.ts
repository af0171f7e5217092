/** The state dict of a checkpoint, among what training programs save beside it. */
import type { WeightsChoice } from "../format.ts";
import type { PickleDict, PickledTensor, PickleValue } from "./pickleFormat.ts";

/** Usual keys of a checkpoint's weights, the most specific first. */
const usualNames: readonly string[] = ["state_dict", "model_state_dict", "model", "net", "network", "weights"];
/**
 * Keys of averaged weights: timm's `state_dict_ema`, torchvision's `model_ema`, and others. Source: timm, utils/checkpoint_saver.py;
 * torchvision, references/classification/train.py.
 */
const averagedName = /(?:^|_)(?:ema|swa|averaged)(?:_|$)/;
/** Lightning's weights of training, where `state_dict` is their average. Source: lightning, callbacks/weight_averaging.py. */
const CURRENT = "current_model_state";
/** Maximum depth of a state dict in a checkpoint. */
const MAX_DEPTH = 4;

/** A state dict, and a note if the file contains another of the same weights. */
export interface FoundStateDict {
  readonly tensors: ReadonlyMap<string, PickledTensor>;
  readonly note?: string;
}

/**
 * Returns the tensors of a state dict: the value itself, or a dict inside it. Among several, such as an optimizer's state, a usual name
 * wins, then the only one closest to the root. `choice` decides between the weights of training and their moving average; by default the
 * usual name wins here too.
 *
 * Throws Error with what it found instead.
 */
export function findStateDict(root: PickleValue, choice?: WeightsChoice): FoundStateDict {
  const seen = new Set<PickleDict>();
  const only = onlyOf(root);
  let level: readonly Found[] = isDict(only) ? [{ path: [], dict: only }] : [];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    const fresh = level.filter(({ dict }) => !seen.has(dict) && seen.add(dict));
    const candidates = fresh.flatMap(({ path, dict }) => {
      const tensors = tensorsOf(dict);
      return tensors ? [{ path, tensors }] : [];
    });
    const chosen = chooseAmong(candidates, choice);
    if (chosen) return { tensors: chosen.tensors, ...noteOn(chosen, candidates) };
    if (candidates.length > 1) {
      const names = candidates.map(({ path }) => path.join("."));
      throw new Error(`several dicts of tensors: ${names.join(", ")}; save only the wanted one`);
    }
    level = fresh.flatMap(nested).toSorted((a, b) => (rankOf(a.path) ?? Infinity) - (rankOf(b.path) ?? Infinity));
  }
  throw new Error("expected a state dict (tensors by name), or a dict that contains one");
}

interface Candidate {
  readonly path: readonly string[];
  readonly tensors: ReadonlyMap<string, PickledTensor>;
}

/** Throws Error if the wanted weights are not among the candidates. */
function chooseAmong(candidates: readonly Candidate[], choice: WeightsChoice | undefined): Candidate | undefined {
  const usual = candidates.find(({ path }) => rankOf(path) !== undefined);
  if (choice === undefined || candidates.length === 0) return candidates.length === 1 ? candidates[0] : usual;
  const wanted = candidates.filter((candidate) => isAveraged(candidate, candidates) === (choice === "ema"));
  const found = wanted.find(({ path }) => rankOf(path) !== undefined) ?? wanted[0];
  if (found) return found;
  const names = candidates.map(({ path }) => path.join(".") || "one state dict");
  const expected =
    choice === "ema" ? "averaged weights, such as state_dict_ema or model_ema" : "the weights of training";
  throw new Error(`expected ${expected}, got ${names.join(", ")}; remove --weights ${choice}`);
}

/** True for a moving average of the weights of training. */
function isAveraged({ path, tensors }: Candidate, candidates: readonly Candidate[]): boolean {
  const name = path.at(-1) ?? "";
  const hasCurrent = candidates.some((other) => other.path.at(-1) === CURRENT);
  return averagedName.test(name) || tensors.has("n_averaged") || (hasCurrent && name !== CURRENT);
}

/** Names the other weights of a file that has both. */
function noteOn(chosen: Candidate, candidates: readonly Candidate[]): Pick<FoundStateDict, "note"> {
  const averaged = isAveraged(chosen, candidates);
  const other = candidates.find(
    (each) => isAveraged(each, candidates) !== averaged && [...each.tensors.keys()].some((key) => key !== "n_averaged"),
  );
  if (!other) return {};
  const [name, otherName] = [chosen, other].map(({ path }) => path.join("."));
  const [what, flag] = averaged ? ["the weights of training", "raw"] : ["their moving average", "ema"];
  return { note: `weights: ${name}; the file also has ${what}, ${otherName}: --weights ${flag} reads them` };
}

interface Found {
  readonly path: readonly string[];
  readonly dict: PickleDict;
}

function nested({ path, dict }: Found): readonly Found[] {
  return [...dict.items].flatMap(([key, value]) => {
    const only = onlyOf(value);
    return isDict(only) ? [{ path: [...path, String(key)], dict: only }] : [];
  });
}

/** The element of a list of one, as programs that train several networks write it; any other value itself. */
function onlyOf(value: PickleValue): PickleValue {
  const isList = typeof value === "object" && value !== null && value.type === "list";
  return isList && value.items.length === 1 ? (value.items[0] as PickleValue) : value;
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

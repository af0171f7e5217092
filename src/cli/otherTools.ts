/** Flags of other training tools, with what they are called here. */
import type { CommandSpec } from "./spec.ts";

/** For each flag, the candidates in order: flags of this program, or descriptions of an argument in angle brackets. */
const known: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    lr: ["--learning-rate"],
    lr0: ["--learning-rate"],
    wd: ["--weight-decay"],
    b: ["--batch-size"],
    bs: ["--batch-size"],
    batch: ["--batch-size"],
    "train-batch-size": ["--batch-size"],
    "per-device-train-batch-size": ["--batch-size"],
    "num-epochs": ["--epochs"],
    "num-train-epochs": ["--epochs"],
    n_epochs: ["--epochs"],
    model: ["--network", "<run>"],
    arch: ["--network", "<run>"],
    weights: ["--from", "<run>"],
    pretrained: ["--from", "<run>"],
    checkpoint: ["--from", "<run>"],
    ckpt: ["--from", "<run>"],
    data: ["--dataset", "[dataset]"],
    "data-path": ["--dataset", "[dataset]"],
    "train-dir": ["[dataset]", "--dataset"],
    "val-split": ["--validation-share"],
    img: ["--input-size"],
    imgsz: ["--input-size"],
    "img-size": ["--input-size"],
    "image-size": ["--input-size"],
    device: ["--engine"],
    gpus: ["--engine"],
    workers: ["--threads"],
    j: ["--threads"],
    opt: ["--optimizer"],
    sched: ["--schedule"],
    patience: ["--early-stopping"],
    smoothing: ["--label-smoothing"],
    "grad-accum-steps": ["--accumulate"],
    "clip-grad": ["--clip-norm"],
    out: ["--run", "--output", "--csv"],
    output: ["--run", "--csv"],
    "output-dir": ["--run", "--output", "--plots"],
    "save-dir": ["--run", "--output"],
    project: ["--run"],
    name: ["--run"],
    source: ["<image...>"],
    input: ["<image...>"],
    topk: ["--top"],
  }),
);

/** Hint for a flag that a command lacks: the name here of another tool's flag, or the argument of the same name. Empty without one. */
export function otherToolHint(flag: string, { options = [], arguments: given = [] }: CommandSpec): string {
  const name = flag.replace(/^-+/, "").replace(/=.*$/s, "").toLowerCase();
  const candidates = known.get(name) ?? known.get(name.replaceAll("_", "-")) ?? [`<${name}>`];
  const own = new Set(options.map(({ flags }) => flags.split(" ")[0]));
  const flagged = candidates.find((candidate) => own.has(candidate));
  if (flagged !== undefined) return `(Did you mean ${flagged}?)`;
  const argument = given.find((each) =>
    candidates.some((candidate) => candidate.replace(/\W/g, "") === each.name.replace(/\W/g, "")),
  );
  return argument === undefined ? "" : `(Give it as the argument ${argument.name}, without a flag.)`;
}

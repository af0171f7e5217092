/** List of commands. `alexnet --help` uses it alone; the rest of a command is loaded when it is called. */
import type { CommandEntry } from "./spec.ts";

/** Commands in the order of `alexnet --help`, within their groups. */
export const commands: readonly CommandEntry[] = [
  {
    name: "train",
    summary: "train a network on a data set",
    group: "Train",
    load: async () => (await import("./commands/train.ts")).train,
  },
  {
    name: "lr-find",
    summary: "try a range of learning rates and suggest one",
    group: "Train",
    load: async () => (await import("./commands/lrFind.ts")).lrFind,
  },
  {
    name: "sweep",
    summary: "train with many settings and compare the results",
    group: "Train",
    load: async () => (await import("./commands/sweep.ts")).sweep,
  },
  {
    name: "reproduce",
    summary: "repeat an experiment of the paper: its runs, its figure, and the claim beside the measurement",
    group: "Train",
    load: async () => (await import("./commands/reproduce.ts")).reproduce,
  },
  {
    name: "check",
    summary: "check an image folder for problems before training on it",
    group: "Train",
    load: async () => (await import("./commands/check.ts")).check,
  },
  {
    name: "augment",
    summary: "preview data augmentation as a contact sheet",
    group: "Train",
    load: async () => (await import("./commands/augment.ts")).augment,
  },
  {
    name: "live",
    summary: "show a run in the browser while it trains: curves, speed, time left, filters",
    group: "Train",
    load: async () => (await import("./commands/live.ts")).live,
  },
  {
    name: "runs",
    summary: "list runs: state, network, data set, best and last accuracy",
    group: "Train",
    load: async () => (await import("./commands/runs.ts")).runs,
  },
  {
    name: "compare",
    summary: "compare runs: accuracy, speed, parameters, curves, and the settings that differ",
    group: "Train",
    load: async () => (await import("./commands/compare.ts")).compare,
  },
  {
    name: "evaluate",
    summary: "evaluate a trained network, or an ensemble of several, on test images",
    group: "Use",
    load: async () => (await import("./commands/evaluate.ts")).evaluate,
  },
  {
    name: "predict",
    summary: "classify images",
    group: "Use",
    load: async () => (await import("./commands/predict.ts")).predict,
  },
  {
    name: "serve",
    summary: "serve predictions over HTTP",
    group: "Use",
    load: async () => (await import("./commands/serve.ts")).serve,
  },
  {
    name: "pull",
    summary: "download published weights for predict, evaluate, train --from and other commands",
    group: "Use",
    load: async () => (await import("./commands/pull.ts")).pull,
  },
  {
    name: "export",
    summary: "export a trained network for other programs",
    group: "Use",
    load: async () => (await import("./commands/export.ts")).exportCommand,
  },
  {
    name: "import",
    summary: "import weights from other programs as a run",
    group: "Use",
    load: async () => (await import("./commands/import.ts")).importCommand,
  },
  {
    name: "verify",
    summary: "compare a run with an exported file on the same images, or gradients with finite differences",
    group: "Use",
    load: async () => (await import("./commands/verify.ts")).verify,
  },
  {
    name: "web",
    summary: "write the browser app: classify, explain and train in a tab",
    group: "Use",
    load: async () => (await import("./commands/web.ts")).web,
  },
  {
    name: "summary",
    summary: "show a network's layer sizes, parameter counts, operations and memory use",
    group: "Look inside",
    load: async () => (await import("./commands/summary.ts")).summary,
  },
  {
    name: "draw",
    summary: "draw a network in perspective, with sizes and kernels",
    group: "Look inside",
    load: async () => (await import("./commands/draw.ts")).draw,
  },
  {
    name: "filters",
    summary: "draw the first-layer kernels of a trained network",
    group: "Look inside",
    load: async () => (await import("./commands/filters.ts")).filters,
  },
  {
    name: "activations",
    summary: "draw the activations for an image, layer by layer",
    group: "Look inside",
    load: async () => (await import("./commands/activations.ts")).activations,
  },
  {
    name: "saliency",
    summary: "show which parts of an image a prediction depends on",
    group: "Look inside",
    load: async () => (await import("./commands/saliency.ts")).saliency,
  },
  {
    name: "similar",
    summary: "find the images most similar to a query image, by their features",
    group: "Look inside",
    load: async () => (await import("./commands/similar.ts")).similar,
  },
  {
    name: "map",
    summary: "map images by feature similarity: t-SNE or principal components",
    group: "Look inside",
    load: async () => (await import("./commands/map.ts")).map,
  },
  {
    name: "setup",
    summary: "install oneDNN for this user, without root (Debian and Ubuntu)",
    group: "Machine",
    load: async () => (await import("./commands/setup.ts")).setup,
  },
  {
    name: "doctor",
    summary: "check this machine: Node.js, processor, oneDNN, data sets",
    group: "Machine",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "bench",
    summary: "measure training and inference speed, and the machine's peak throughput",
    group: "Machine",
    load: async () => (await import("./commands/bench.ts")).bench,
  },
  {
    name: "completion",
    summary: "print a completion script for bash, zsh or fish",
    group: "Machine",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
];

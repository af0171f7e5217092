/**
 * Node.js module hooks: a `.ts` file of the checkout keeps its URL, so that files next to it are found, but its code is the compiled one. Starts in a
 * third of tsx's time, and loads modules in half.
 */
import { readFile } from "node:fs/promises";
import type { InitializeHook, LoadHook, ResolveHook } from "node:module";

/** URLs: of the two folders, with a slash at the end, and of tsx. */
export interface Trees {
  readonly checkout: string;
  readonly modules: string;
  readonly tsx: string;
}

let trees: Trees;

export const initialize: InitializeHook<Trees> = (data) => {
  trees = data;
};

/** A thread imports this to register tsx (src/workerModule.ts), but already has these hooks: it inherits `--import`. */
const registersNothing = `data:text/javascript,${encodeURIComponent("export function register() {}")}`;

/** Compiled code imports `.js` where the source imports `.ts`. */
export const resolve: ResolveHook = (specifier, context, next) => {
  if (specifier === "tsx/esm/api" || specifier === trees.tsx)
    return { url: registersNothing, format: "module", shortCircuit: true };
  const isCompiled = /^\.\.?\/.*\.js$/.test(specifier) && context.parentURL?.endsWith(".ts");
  return next(isCompiled ? specifier.replace(/js$/, "ts") : specifier, context);
};

export const load: LoadHook = async (url, context, next) => {
  if (!url.startsWith(trees.checkout) || !url.endsWith(".ts")) return next(url, context);
  const file = new URL(url.slice(trees.checkout.length).replace(/ts$/, "js"), trees.modules);
  return { format: "module", shortCircuit: true, source: await readFile(file) };
};

/** Command line and environment of an engine process. */
import { fileURLToPath } from "node:url";
import { moduleUrl } from "../packageRoot.ts";
import { startOf } from "../workerModule.ts";
import { type EngineSource, SOURCE_VARIABLE } from "./engineFacts.ts";

/** Options of Node.js whose value is the next argument, where it is not part of the same one. */
const withValue = /^(--eval|-e|--print|-p|-pe|--inspect-port|--debug-port)$/;

/**
 * Options of Node.js for a process that runs another program with the same loaders: without the program of `--eval`, and without the inspector, whose
 * port is in use.
 */
function inheritedOptions(execArgv: readonly string[]): readonly string[] {
  return execArgv.filter(
    (argument, i) =>
      !withValue.test(execArgv[i - 1] ?? "") && !/^--(eval|print|inspect|debug-port)|^-(e|p|pe)$/.test(argument),
  );
}

/** Collects garbage on the thread that made it: other threads would take cores from the computation. */
const COLLECTION = "--single-threaded-gc";

/** Arguments of Node.js that start an engine process. */
export function engineArguments(execArgv: readonly string[]): readonly string[] {
  const module = startOf(moduleUrl("server/engineProcess"));
  const isFile = module.protocol === "file:";
  const program = isFile ? [fileURLToPath(module)] : ["--eval", `import(${JSON.stringify(module.href)})`];
  return [COLLECTION, ...inheritedOptions(execArgv), ...program];
}

/**
 * Iterations for which a thread of GNU OpenMP waits for another one before it sleeps. The default is 300,000: with a server on the same cores, threads
 * then spin while the thread that they wait for does not run.
 *
 * Source: gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html.
 */
const SPIN_COUNT = "10000";

/** Environment of the engine process of a network. Settings of the user's for waiting threads are kept. */
export function engineEnvironment(source: EngineSource, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...(environment["OMP_WAIT_POLICY"] === undefined && { GOMP_SPINCOUNT: SPIN_COUNT }),
    ...environment,
    [SOURCE_VARIABLE]: JSON.stringify(source),
  };
}

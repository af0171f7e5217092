/** A trained network, read from its file and compiled on an engine. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel, readSomeWeights, readWeights } from "../checkpoint/model.ts";
import type { AnyOp, CompileRequest, Engine, Program } from "../engine/engine.ts";
import { ConfigError, UnimplementedError } from "../errors.ts";
import { type Network, operations } from "../network/network.ts";
import type { EngineName } from "./engineNames.ts";
import { selectEngine } from "./selectEngine.ts";
import { weightSink } from "./tensorStores.ts";

/** How a trained network is opened. */
export interface OpenOptions {
  readonly engine?: EngineName;
  readonly threads?: number;
  /** Images computed at a time; default 1, for predictions of single images. */
  readonly batchSize?: number;
  /** Compute up to this layer only: its output is the program's. Default: the last. */
  readonly layer?: string;
  readonly onMessage?: (message: string) => void;
}

export interface OpenModel {
  /** What was asked for. */
  readonly path: string;
  /** The weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** What it computes on, in words, and on how many threads. */
  readonly engine: string;
  readonly threads: number;
  readonly program: Program;
  /** Whether an answer is a draw, since dropout stays active. */
  readonly isRandom: boolean;
  close(): void;
}

/**
 * Opens a run directory (its best weights) or a weights file.
 *
 * Throws CheckpointError if there is none or it is damaged, ConfigError if it has no such layer, NativeError if the engine asked for is not there.
 */
export async function openModel(path: string, options: OpenOptions): Promise<OpenModel> {
  const file = await resolveModelFile(path);
  const model = await loadModel(file);
  const { network, precision, exact } = model;
  const { batchSize = 1 } = options;
  const { engine, warning } = selectEngine(options.engine ?? "auto", options.threads);
  if (warning) options.onMessage?.(warning);
  const ops = upTo(options.layer, operations(network), network.name);
  const request = { ops, inputShape: network.input, batchSize, precision, exact };
  let program: Program | undefined;
  const close = () => {
    program?.close();
    engine.close();
  };
  try {
    program = await compileOrF32(engine, request, options);
    await (options.layer === undefined ? readWeights : readSomeWeights)(file, weightSink(program, network));
  } catch (error) {
    close();
    throw error;
  }
  const isRandom = drawsAnswers({ layers: network.layers.slice(0, ops.length) });
  const { description, threads } = engine;
  return { path, file, model, engine: description, threads, program, isRandom, close };
}

/** Whether an answer is a draw, since dropout stays active at evaluation. */
export function drawsAnswers({ layers }: Pick<Network, "layers">): boolean {
  return layers.some((layer) => layer.kind === "dropout" && layer.activeAtEvaluation);
}

function upTo(layer: string | undefined, ops: readonly AnyOp[], network: string): readonly AnyOp[] {
  if (layer === undefined) return ops;
  const index = ops.findIndex(({ name }) => name === layer);
  if (index >= 0) return ops.slice(0, index + 1);
  const names = ops.map(({ name }) => name).join(", ");
  throw new ConfigError(`${network}: expected the name of one of its layers (${names}), got ${layer}`);
}

/** In the precision that the weights were trained for, or in f32 where the library cannot have that on this processor. */
export async function compileOrF32(
  engine: Engine,
  request: CompileRequest,
  { onMessage }: OpenOptions,
): Promise<Program> {
  try {
    return await engine.compile(request);
  } catch (error) {
    if (!(error instanceof UnimplementedError) || request.precision === "f32") throw error;
    onMessage?.(`precision: no ${request.precision} in ${engine.description}; going on in f32`);
    return engine.compile({ ...request, precision: "f32" });
  }
}

/** A trained network, read from its file and compiled on an engine. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import type { CompileRequest, Engine, Program } from "../engine/engine.ts";
import { UnimplementedError } from "../errors.ts";
import { operations } from "../network/network.ts";
import type { EngineName } from "./engineNames.ts";
import { selectEngine } from "./selectEngine.ts";
import { weightSink } from "./tensorStores.ts";

/** How a trained network is opened. */
export interface OpenOptions {
  readonly engine?: EngineName;
  readonly threads?: number;
  /** Images computed at a time; default 1, for predictions of single images. */
  readonly batchSize?: number;
  readonly onMessage?: (message: string) => void;
}

export interface OpenModel {
  /** What was asked for. */
  readonly path: string;
  /** The weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** What it computes on, in words. */
  readonly engine: string;
  readonly program: Program;
  /** Whether an answer is a draw, since dropout stays active. */
  readonly isRandom: boolean;
  close(): void;
}

/**
 * Opens a run directory (its best weights) or a weights file.
 *
 * Throws CheckpointError if there is none or it is damaged, NativeError if the engine asked for is not there.
 */
export async function openModel(path: string, options: OpenOptions): Promise<OpenModel> {
  const file = await resolveModelFile(path);
  const model = await loadModel(file);
  const { network, precision, exact } = model;
  const { batchSize = 1 } = options;
  const { engine, warning } = selectEngine(options.engine ?? "auto", options.threads);
  if (warning) options.onMessage?.(warning);
  const ops = operations(network);
  const request = { ops, inputShape: network.input, batchSize, precision, exact };
  let program: Program | undefined;
  const close = () => {
    program?.close();
    engine.close();
  };
  try {
    program = await compileOrF32(engine, request, options);
    await readWeights(file, weightSink(program, network));
  } catch (error) {
    close();
    throw error;
  }
  const isRandom = ops.some((op) => op.kind === "dropout" && op.options.activeAtEvaluation);
  return { path, file, model, engine: engine.description, program, isRandom, close };
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

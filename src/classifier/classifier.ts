import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import type { CompileRequest, Engine, Program } from "../engine/engine.ts";
import { UnimplementedError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import type { Image } from "../image/image.ts";
import { createPreprocessor } from "../image/preprocess.ts";
import { operations } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { evaluate } from "../training/evaluate.ts";
import { type Evaluation, softmax } from "../training/metrics.ts";
import type { EngineName } from "./engineNames.ts";
import type { EvaluationDataOptions } from "./evaluationData.ts";
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

/** A class with its probability. */
export interface ClassScore {
  readonly className: string;
  readonly probability: number;
}

/** How one image is classified. */
export interface PredictOptions {
  /** For a network whose dropout is active at evaluation: average so many draws. Default 1. */
  readonly samples?: number;
  /** The seed of those draws. Default 0. */
  readonly seed?: number;
}

/** On what a trained network is measured, and how. */
export interface EvaluateRunOptions extends EvaluationDataOptions {
  /** Of dropout that is active at evaluation. Default 0. */
  readonly seed?: number;
  readonly onProgress?: (images: number, of: number) => void;
}

/** A trained network, ready to use. Calls must not overlap. */
export interface Classifier {
  /** The weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** What it computes on. */
  readonly engine: string;
  /** Whether an answer is a draw, since dropout stays active. */
  readonly isRandom: boolean;
  /** Every class, the most probable first. Accepts a path or a decoded image. Throws DataError for a file that is no image. */
  predict(image: string | Image, options?: PredictOptions): Promise<readonly ClassScore[]>;
  /** Over a data set's test images. Undefined if the signal was aborted. Throws ConfigError if the classes are not the model's. */
  evaluate(options?: EvaluateRunOptions): Promise<Evaluation | undefined>;
  close(): void;
}

/**
 * Opens a run directory (its best weights) or a weights file.
 *
 * Throws CheckpointError if there is none or it is damaged, NativeError if the engine asked for is not there.
 */
export async function openClassifier(path: string, options: OpenOptions = {}): Promise<Classifier> {
  const file = await resolveModelFile(path);
  const model = await loadModel(file);
  const { network, preprocessing, precision, exact, classNames } = model;
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
  const prepare = createPreprocessor(preprocessing);
  const input = new Float32Array(sizeOf(network.input));
  return {
    file,
    model,
    engine: engine.description,
    isRandom: ops.some((op) => op.kind === "dropout" && op.options.activeAtEvaluation),
    async predict(image, { samples = 1, seed = 0 } = {}) {
      prepare(typeof image === "string" ? await decodeImage(image) : image, input, 0);
      const mean = new Float64Array(classNames.length);
      const counter = hashOf(input);
      for (let sample = 0; sample < samples; sample++) {
        const draws = { seed, first: (counter + sample) >>> 0 };
        const probabilities = softmax(await program.forward(input, 1, draws));
        for (const [c, probability] of probabilities.entries()) mean[c] = (mean[c] as number) + probability / samples;
      }
      return classNames
        .map((className, c) => ({ className, probability: mean[c] as number }))
        .sort((a, b) => b.probability - a.probability);
    },
    async evaluate(given = {}) {
      // What reads data sets is loaded here, so that a first prediction does not wait for it.
      const { loadEvaluationData } = await import("./evaluationData.ts");
      const { split, close: closeData } = await loadEvaluationData(path, file, model, given);
      const { onProgress, signal, seed = 0 } = given;
      try {
        return await evaluate(program, {
          split,
          preprocessing,
          classNames,
          seed,
          signal,
          ...(onProgress ? { onProgress: (images: number) => onProgress(images, split.length) } : {}),
        });
      } finally {
        closeData();
      }
    },
    close,
  };
}

/** In the precision that the weights were trained for, or in f32 where the library cannot have that on this processor. */
async function compileOrF32(engine: Engine, request: CompileRequest, { onMessage }: OpenOptions): Promise<Program> {
  try {
    return await engine.compile(request);
  } catch (error) {
    if (!(error instanceof UnimplementedError) || request.precision === "f32") throw error;
    onMessage?.(`precision: no ${request.precision} in ${engine.description}; going on in f32`);
    return engine.compile({ ...request, precision: "f32" });
  }
}

/** A number of the image's own, from which its dropout masks follow: FNV-1a over its words. */
function hashOf(values: Float32Array): number {
  let hash = 0x811c9dc5;
  for (const word of new Uint32Array(values.buffer, values.byteOffset, values.length)) {
    hash = Math.imul(hash ^ word, 0x01000193);
  }
  return hash >>> 0;
}

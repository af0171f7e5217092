/** Grad-CAM of a trained network: the places of an image that raise the score of a class, at the size of the network's input. */
import type { Engine, Program } from "../engine/engine.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { ConfigError } from "../errors.ts";
import { type ImageInput, nameOfInput, readImageInput } from "../image/files/imageInput.ts";
import { readModelOf } from "../model/modelFile.ts";
import { openSource } from "../model/modelSource.ts";
import { type NetworkModel, writeWeights } from "../model/networkModel.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { createPredictionInput } from "../model/predictionInput.ts";
import { classesOf, operations } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { checkOutputs, headOfModel } from "../training/evaluation/classHead.ts";
import { type ClassActivation, createClassActivator, featureMapLayer } from "./classActivation.ts";
import { drawGradCam } from "./gradCamFigure.ts";
import { createInputImage } from "./inputImage.ts";
import { classChooser } from "./saliency.ts";

/** Class activation of an image. */
export interface GradCam {
  readonly className: string;
  /** Probability of the class. */
  readonly probability: number;
  /** Layer whose feature maps are weighted. */
  readonly layer: string;
  /** Importance of each place of the feature maps, row by row from the top: 0 or above, 1 at the most important place. */
  readonly values: readonly (readonly number[])[];
  /** The same at the size of the network's input, interpolated linearly. */
  readonly places: readonly (readonly number[])[];
}

/** Computes Grad-CAM of prepared images with one network, one call after the other. */
export interface GradCamExplainer {
  readonly layer: string;
  /** Grad-CAM for the class whose index `chooseClass` returns from all probabilities. `file` begins messages. */
  explain(input: Float32Array, chooseClass: (probabilities: Float64Array) => number, file: string): Promise<GradCam>;
  close(): void;
}

/**
 * Compiles a network in memory for Grad-CAM, one image at a time, in f32.
 *
 * Throws ConfigError for a network without feature maps before its outputs, or whose head is `none`.
 */
export async function createGradCam(model: NetworkModel, engine: Engine): Promise<GradCamExplainer> {
  const { network, weights, exact, classNames } = model;
  const head = headOfModel(model, classesOf(network), network.name);
  const activator = await createClassActivator(model, engine);
  let lower: Program | undefined;
  const close = () => {
    lower?.close();
    activator.close();
  };
  try {
    const end = network.layers.findIndex(({ name }) => name === activator.layer);
    const ops = operations(network).slice(0, end + 1);
    const program = await engine.compile({ ops, inputShape: network.input, batchSize: 1, precision: "f32", exact });
    lower = program;
    await writeWeights(program, program.parameters, weights);
    return {
      layer: activator.layer,
      async explain(input, chooseClass, file) {
        const maps = await program.forward(input, 1, { seed: 0, first: 0 });
        const outputs = await activator.outputs(maps);
        checkOutputs(outputs, 1, () => file);
        const probabilities = head.probabilities(head.scores(outputs, 1));
        const index = chooseClass(probabilities);
        const activation = await activator.compute(maps, index);
        const [, height, width] = network.input;
        return {
          className: classNames[index] as string,
          probability: probabilities[index] as number,
          layer: activation.layer,
          values: rowsOf(activation),
          places: enlarged(activation, height, width),
        };
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Options of `measureGradCam`. */
export interface GradCamOptions extends Pick<OpenOptions, "engine" | "threads" | "openSource" | "onMessage"> {
  /** Class to explain. Default: the predicted one. */
  readonly className?: string;
}

/**
 * Computes and draws Grad-CAM of a run (its best weights) or a weights file for an image.
 *
 * Throws as `createGradCam`, DataError for a file that is not an image, and ConfigError for an unknown class.
 */
export async function measureGradCam(
  path: string,
  image: ImageInput,
  { className, engine: engineName = "auto", threads, openSource: opener, onMessage }: GradCamOptions = {},
): Promise<GradCam & { readonly svg: string }> {
  const decoded = await readImageInput(image);
  const source = await openSource(path, opener);
  if (featureMapLayer(source.model.network) === undefined) {
    throw new ConfigError(
      `${path}: ${source.model.network.name} has no feature maps before its outputs, which Grad-CAM needs; use --method occlusion`,
    );
  }
  const model = await readModelOf(source);
  const { engine, warning } = await selectEngine(engineName, threads);
  if (warning) onMessage?.(warning);
  try {
    const explainer = await createGradCam(model, engine);
    try {
      const { network, preprocessing, classNames } = model;
      const input = new Float32Array(sizeOf(network.input));
      createPredictionInput(preprocessing, onMessage)(decoded, input, 0);
      const choose = classChooser(className, classNames);
      const made = await explainer.explain(input, choose, nameOfInput(image));
      const seen = createInputImage(preprocessing)(decoded);
      return { ...made, svg: await drawGradCam(network.name, nameOfInput(image), seen, made) };
    } finally {
      explainer.close();
    }
  } finally {
    engine.close();
  }
}

function rowsOf({ height, width, values }: ClassActivation): readonly (readonly number[])[] {
  return Array.from({ length: height }, (_, y) => [...values.subarray(y * width, (y + 1) * width)]);
}

/** Linear interpolation between the centres of the map's places; beyond the outer centres, the outer values. */
export function enlarged(
  map: Pick<ClassActivation, "height" | "width" | "values">,
  height: number,
  width: number,
): readonly (readonly number[])[] {
  const columns = positions(map.width, width);
  const at = (y: number, x: number) => map.values[y * map.width + x] as number;
  return positions(map.height, height).map(([top, bottom, down]) =>
    columns.map(([left, right, across]) => {
      const upper = at(top, left) * (1 - across) + at(top, right) * across;
      const lower = at(bottom, left) * (1 - across) + at(bottom, right) * across;
      return upper * (1 - down) + lower * down;
    }),
  );
}

/** For each of `to` pixels, the two nearest of `from` places, and the fraction of the second. */
function positions(from: number, to: number): readonly (readonly [number, number, number])[] {
  return Array.from({ length: to }, (_, i) => {
    const place = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const first = Math.floor(place);
    return [first, Math.min(first + 1, from - 1), place - first];
  });
}

/** The worker of the view "Train": images, one run, downloads. */
import { fromArrays } from "../../dataset/arrays.ts";
import { type Dataset, validationSplit } from "../../dataset/dataset.ts";
import { decodeSample } from "../../dataset/sampleFile.ts";
import { DataError } from "../../errors.ts";
import { writeOnnx } from "../../formats/onnx/writeOnnx.ts";
import type { Image } from "../../image/image.ts";
import { imageOfPixels, type RawImage } from "../../image/rawImage.ts";
import { hasWeights } from "../../learned.ts";
import { readModelBytes, writeModelBytes } from "../../model/modelBytes.ts";
import type { NetworkModel, Weights } from "../../model/networkModel.ts";
import { findNetwork } from "../../network/alexnet.ts";
import { parametersOf, place, withInput } from "../../network/network.ts";
import { sizeOf } from "../../shape.ts";
import { defaultMonitor } from "../../training/monitor.ts";
import { findRecipe, parseRecipe, type Recipe } from "../../training/recipe.ts";
import { initialPosition } from "../../training/state.ts";
import { answerCalls, emit } from "./calls.ts";
import type { SavedState } from "./checkpoints.ts";
import { type Computation, createEngines, type Engines, type EngineUse } from "./engines.ts";
import { createRun, type Run } from "./run.ts";
import { createRunStorage, deleteSavedRun, type OwnImages, type RunDescription, readSavedRun } from "./storage.ts";
import type {
  DataCounts,
  DataSource,
  DownloadFormat,
  PageSettings,
  RunFacts,
  TrainerApi,
  TrainerEvent,
} from "./trainerApi.ts";

/** Maximum number of bytes of the user's images: they stay in memory. */
const MAX_BYTES = 400e6;
const FEWEST_IMAGES = 2;

interface Trainer {
  own: OwnImages;
  sample: Dataset | undefined;
  source: DataSource;
  run: Run | undefined;
  /** Shared by all runs, as are the memories of closed programs. */
  readonly engines: Engines;
  hasAdapterFailed: boolean;
}

/** Serves the functions of `TrainerApi`. */
export function serveTrainer(): void {
  const trainer: Trainer = {
    own: new Map(),
    sample: undefined,
    source: "own",
    run: undefined,
    engines: createEngines(),
    hasAdapterFailed: false,
  };
  const running = () => {
    if (trainer.run) return trainer.run;
    throw new Error("no run is open");
  };
  answerCalls<TrainerApi>({
    async useSample(bytes) {
      trainer.sample = decodeSample(bytes);
      trainer.source = "sample";
      return countsOf(trainer);
    },
    async addImages({ className, images }) {
      trainer.own = withImages(trainer.own, className, images);
      trainer.source = "own";
      return countsOf(trainer);
    },
    async removeClass(className) {
      trainer.own = new Map([...trainer.own].filter(([name]) => name !== className));
      trainer.source = "own";
      return countsOf(trainer);
    },
    create: (settings) => createNew(trainer, settings),
    async saved() {
      const saved = await readSavedRun();
      if (!saved) return undefined;
      const { iteration, epoch, seconds } = saved.state.position;
      return { network: saved.run.network.name, source: saved.run.source, progress: { iteration, epoch, seconds } };
    },
    restore: (asked) => restore(trainer, asked),
    forget: deleteSavedRun,
    async run(isStep) {
      void running().train(isStep);
    },
    pause: async () => running().pause(),
    save: async () => trainer.run?.save(),
    testImages: async (indices) => indices.map((index) => copyOf(validationSplit(running().dataset).image(index))),
    thumbnails: async ({ className, count }) => thumbnailsOf(trainer, className, count),
    download: async (format) => downloads[format](await running().model()),
  });
}

/** A copy without the memory of other images, which a message would send too. */
function copyOf({ width, height, channels, data }: Image): Image {
  return { width, height, channels, data: data.slice() };
}

/** The images with further ones of a class, which may be new. Throws DataError for too many bytes. */
function withImages(own: OwnImages, className: string, images: readonly RawImage[]): OwnImages {
  const all = [...own.values()].flat().concat(images);
  const bytes = all.reduce((sum, { data }) => sum + data.length, 0);
  if (bytes > MAX_BYTES) {
    throw new DataError(`images: expected at most ${MAX_BYTES / 1e6} MB of pixels, got ${Math.round(bytes / 1e6)} MB`);
  }
  return new Map([...own, [className, [...(own.get(className) ?? []), ...images]]]);
}

function countsOf({ source, sample, own }: Trainer): DataCounts {
  if (source === "own" || !sample) {
    const classes = [...own].map(([className, images]) => ({ className, images: images.length }));
    return { source: "own", classes };
  }
  const counts = new Array<number>(sample.classNames.length).fill(0);
  for (let i = 0; i < sample.train.length; i++) {
    const label = sample.train.label(i);
    counts[label] = (counts[label] as number) + 1;
  }
  return { source, classes: sample.classNames.map((className, c) => ({ className, images: counts[c] as number })) };
}

function thumbnailsOf({ source, sample, own }: Trainer, className: string, count: number): readonly Image[] {
  if (source === "own" || !sample)
    return (own.get(className) ?? []).slice(0, count).map((image) => imageOfPixels(image));
  const label = sample.classNames.indexOf(className);
  const found: Image[] = [];
  for (let i = 0; i < sample.train.length && found.length < count; i++) {
    if (sample.train.label(i) === label) found.push(copyOf(sample.train.image(i)));
  }
  return found;
}

/** The images as a data set. Throws DataError for fewer than two classes, or two images of a class. */
function datasetOf({ source, sample, own }: Trainer): Dataset {
  if (source === "sample") {
    if (sample) return sample;
    throw new DataError("sample of Fashion-MNIST: not in this page; open the run in the page that created it");
  }
  const classes = [...own];
  if (classes.length < 2) throw new DataError(`images: expected at least 2 classes, got ${classes.length}`);
  const few = classes.find(([, images]) => images.length < FEWEST_IMAGES);
  if (few) {
    const [className, { length }] = few;
    throw new DataError(
      `${className}: expected at least ${FEWEST_IMAGES} images, got ${length}; add images, or remove the class`,
    );
  }
  const images = classes.flatMap(([, list]) => list);
  const labels = classes.flatMap(([className, list]) => list.map(() => className));
  return fromArrays(images, labels, { name: "own images", classNames: classes.map(([className]) => className) });
}

/** The recipe for a data set: that of small images if all have one small size, otherwise that of photos. */
function recipeFor({ imageSize }: Dataset, { network, values }: PageSettings): Recipe {
  const isSmall = imageSize !== undefined && imageSize.width <= 64 && imageSize.height <= 64;
  const base = findRecipe(isSmall ? "small" : "photos");
  // A weights file keeps its own input size and preprocessing.
  const fit = isSmall && typeof network === "string" ? base.fit : "resize";
  return parseRecipe({
    ...base,
    fit,
    monitor: defaultMonitor,
    ...values,
    name: "browser",
  });
}

async function createNew(trainer: Trainer, settings: PageSettings): Promise<RunFacts> {
  const { network: asked } = settings;
  const dataset = datasetOf(trainer);
  const recipe = recipeFor(dataset, settings);
  const given = typeof asked === "string" ? undefined : await readModelBytes(asked.bytes, asked.name);
  const base = given?.network ?? findNetwork(asked as string);
  const [, height, width] = base.input;
  const network = given ? base : withInput(base, [dataset.channels, ...sizeFor(dataset, recipe, [height, width])]);
  const { source, own } = trainer;
  const images = source === "own" ? own : undefined;
  const description = { source, network, recipe, preprocessing: given?.preprocessing, images };
  const { computation } = settings;
  return open(trainer, description, dataset, { computation, weights: given && reusableWeights(given, dataset) });
}

/** Weights of a model for further training: without those of the last layer, unless the classes are the same. */
function reusableWeights({ network, weights, classNames }: NetworkModel, dataset: Dataset): Weights {
  if (classNames.join("\n") === dataset.classNames.join("\n")) return weights;
  const last = place(network).findLast(hasWeights)?.layer.name;
  return new Map([...weights].filter(([name]) => name.slice(0, name.lastIndexOf(".")) !== last));
}

/** Input size of a new run: that of the images for the fit `native`, otherwise the network's. */
function sizeFor(
  { imageSize }: Dataset,
  { fit }: Recipe,
  size: readonly [number, number],
): readonly [height: number, width: number] {
  return fit === "native" && imageSize ? [imageSize.height, imageSize.width] : size;
}

async function restore(
  trainer: Trainer,
  { sample, computation }: Parameters<TrainerApi["restore"]>[0],
): Promise<RunFacts> {
  const saved = await readSavedRun();
  if (!saved) throw new Error("no run is saved");
  const { run, state } = saved;
  if (sample) trainer.sample = decodeSample(sample);
  if (run.images) trainer.own = run.images;
  trainer.source = run.source;
  return open(trainer, run, datasetOf(trainer), { computation, state });
}

async function open(
  trainer: Trainer,
  description: RunDescription,
  dataset: Dataset,
  given: {
    readonly computation: Computation;
    readonly weights?: Weights | undefined;
    readonly state?: SavedState;
  },
): Promise<RunFacts> {
  await trainer.run?.close();
  trainer.run = undefined;
  if (trainer.hasAdapterFailed) trainer.engines.dropWebGpu();
  trainer.hasAdapterFailed = false;
  const { network, recipe, preprocessing } = description;
  const { computation, weights, state } = given;
  const onEvent = (event: TrainerEvent) => {
    if ("end" in event && event.end === "adapterFailed") trainer.hasAdapterFailed = true;
    emit(event);
  };
  const { value: run, use } = await trainer.engines.make(computation, (engine) =>
    createRun({
      network,
      recipe,
      dataset,
      engine,
      start: initialPosition,
      ...(weights && { weights }),
      ...(preprocessing && { preprocessing }),
      ...(state && { state }),
      save: createRunStorage(description),
      onEvent,
    }),
  );
  trainer.run = run;
  return factsOf(description, use, run);
}

function factsOf({ source }: RunDescription, engine: EngineUse, run: Run): RunFacts {
  const { network, dataset, recipe, progress, log, test } = run;
  return {
    network: network.name,
    source,
    classNames: dataset.classNames,
    trainImages: dataset.train.length,
    testImages: validationSplit(dataset).length,
    parameters: parametersOf(network).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    recipe,
    engine,
    progress,
    log,
    test,
  };
}

const downloads: { readonly [F in DownloadFormat]: (model: NetworkModel) => Promise<Uint8Array> } = {
  safetensors: writeModelBytes,
  async onnx({ network, weights, classNames, preprocessing }) {
    const options = { classNames, preprocessing };
    const file = writeOnnx(network, (name) => weights.get(name) as Float32Array, options);
    const bytes = new Uint8Array(file.byteLength);
    let end = 0;
    for await (const chunk of file.chunks) {
      bytes.set(chunk, end);
      end += chunk.length;
    }
    return bytes;
  },
};

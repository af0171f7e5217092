/** Networks of the view "Try": in the page, beside it, on the server, or opened by the reader. */
import type { OfferedModel } from "../../exchange/webPageData.ts";
import type { RawImage } from "../../image/rawImage.ts";
import type { ClassScore } from "../../model/predictRows.ts";
import { chosenComputation } from "../computation.ts";
import { fetchBytes } from "../pageData.ts";
import { paintImage } from "../paint.ts";
import { startWorker } from "../worker/calls.ts";
import type { EngineUse } from "../worker/engines.ts";
import type { ModelFile, OpenedModel, SeenImage, SeenSaliency, ViewerApi, ViewerEvent } from "../worker/viewer.ts";

/** A prediction: with activations if it was computed in this tab. */
export type TryPrediction = Pick<SeenImage, "classes" | "milliseconds"> & Partial<SeenImage>;

/** The networks of the page, one of which is in use. */
export interface Networks {
  /** Opens an offered network or a file in this tab; undefined if `isChosen` no longer holds once it is loaded. */
  open(source: OfferedModel | File, isChosen: () => boolean): Promise<OpenedModel | undefined>;
  /** Compiles the open network for the reader's choice of what computes; undefined if none is open. */
  use(): Promise<EngineUse | undefined>;
  predict(image: RawImage): Promise<TryPrediction>;
  /** Predicts by the server. */
  predictRemotely(name: string, image: RawImage | undefined, file: Blob | undefined): Promise<TryPrediction>;
  saliency(className: string, onProgress: (fraction: number) => void): Promise<SeenSaliency>;
  activation(className: string): ReturnType<ViewerApi["activation"]>;
}

/** Starts the worker of the networks; `onEngine` is called if another engine takes over, `onEnd` if the worker ends. */
export function createNetworks(onEngine: (engine: EngineUse) => void, onEnd: (reason: string) => void): Networks {
  let onProgress = (_fraction: number) => {};
  const viewer = startWorker<ViewerApi, ViewerEvent>("viewer", {
    onEvent: (event) => ("engine" in event ? onEngine(event.engine) : onProgress(event.fraction)),
    onEnd,
  });
  return {
    async open(source, isChosen) {
      const file = await fileOf(source);
      const opened = isChosen() ? await viewer.call("open", { file, computation: chosenComputation() }) : undefined;
      return isChosen() ? opened : undefined;
    },
    use: () => viewer.call("use", chosenComputation()),
    predict: (image) => viewer.call("predict", image),
    predictRemotely,
    saliency(className, report) {
      onProgress = report;
      return viewer.call("saliency", className);
    },
    activation: (className) => viewer.call("activation", className),
  };
}

async function fileOf(source: OfferedModel | File): Promise<ModelFile> {
  const { name } = source;
  if (source instanceof Blob) return { name, bytes: new Uint8Array(await source.arrayBuffer()) };
  if (source.packed) return { name, packed: source.packed };
  return { name, bytes: await fetchBytes(source.file as string) };
}

interface ServerAnswer {
  readonly classes: readonly ClassScore[];
  readonly milliseconds: number;
  readonly error?: string;
}

/** Sends the file as it is; a photo of the camera as PNG. */
async function predictRemotely(
  name: string,
  image: RawImage | undefined,
  file: Blob | undefined,
): Promise<TryPrediction> {
  const body = file ?? (image && (await pngOf(image))) ?? null;
  const query = new URLSearchParams({ model: name });
  const response = await fetch(`predict?${query}`, { method: "POST", body });
  const answer = (await response.json()) as ServerAnswer;
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function pngOf(image: RawImage): Promise<Blob | null> {
  const canvas = paintImage({ ...image, channels: 3, data: image.data as Uint8Array });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

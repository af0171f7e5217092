/** The view "Try": an image in, classes and what led to them out. */
import type { OfferedModel, PageData } from "../../exchange/webPageData.ts";
import type { RawImage } from "../../image/rawImage.ts";
import { parametersOf } from "../../network/network.ts";
import { sizeOf } from "../../shape.ts";
import { engineText, onComputation } from "../computation.ts";
import { field, fileButton, fill, h, select } from "../dom.ts";
import { type Camera, decodeImage, frameOf, startCamera } from "../images.ts";
import { t } from "../language.ts";
import type { View } from "../view.ts";
import { messageOf } from "../worker/calls.ts";
import type { EngineUse } from "../worker/engines.ts";
import type { OpenedModel } from "../worker/viewer.ts";
import { createActivations } from "./activations.ts";
import { renderFilters } from "./filters.ts";
import { createNetworks, type TryPrediction } from "./networks.ts";
import { createResult, type Result } from "./result.ts";

/** A network of the list: offered by the page, or a file that the reader opened. */
interface Listed {
  readonly name: string;
  readonly source: OfferedModel | File;
}

interface State {
  readonly listed: Listed[];
  chosen: number;
  /** The network that is open in this tab; undefined if the server predicts. */
  opened: OpenedModel | undefined;
  /** The engine of the open network. */
  engine: EngineUse | undefined;
  image: RawImage | undefined;
  /** The file of the image; undefined for a photo of the camera. */
  file: File | undefined;
  /** The newest file or photo, which may still be in decoding. */
  taken: File | "photo" | undefined;
  prediction: TryPrediction | undefined;
  camera: Camera | undefined;
  /** Text of the status line. */
  status: () => string;
  isProblem: boolean;
  /** Number of the newest prediction: older answers are dropped. */
  latest: number;
}

/** The view, which can also open a weights file that was trained in this tab. */
export interface TryView extends View {
  /** Resolves once the first offered network is open, or cannot be opened. */
  readonly opened: Promise<void>;
  openFile(file: File): Promise<void>;
}

/** Creates the view. The first offered network is opened at once. Long, since its functions render and change one state. */
export function createTryView({ models }: PageData): TryView {
  const state: State = {
    listed: models.map((source) => ({ name: source.name, source })),
    chosen: 0,
    opened: undefined,
    engine: undefined,
    image: undefined,
    file: undefined,
    taken: undefined,
    prediction: undefined,
    camera: undefined,
    status: () => (models.length === 0 ? t("noModel") : ""),
    isProblem: false,
    latest: 0,
  };
  const element = h("div");
  const networks = createNetworks(showEngine, (problem) => report(() => t("workerEnded", { problem }), true));
  const status = h("p", { class: "status", role: "status" });
  const engineLine = h("p", { class: "hint", role: "status" });
  const parts = { controls: h("div"), result: h("div"), activations: h("div"), filters: h("div") };
  const result: Result = createResult(networks, () => state);
  const activations = createActivations(() => state);

  function report(text: () => string, isProblem = false): void {
    state.status = text;
    state.isProblem = isProblem;
    status.textContent = text();
    status.classList.toggle("problem", isProblem);
  }

  function showEngine(engine: EngineUse | undefined): void {
    state.engine = engine;
    engineLine.textContent = engine ? engineText(engine) : "";
  }

  function render(): void {
    fill(parts.controls, ...controlsOf());
    const { controls, result: answer, activations: maps, filters } = parts;
    fill(element, h("h1", {}, t("tryView")), controls, status, engineLine, answer, maps, filters);
    report(state.status, state.isProblem);
    showEngine(state.engine);
    renderResult();
  }

  function renderResult(): void {
    fill(parts.result, result.render());
    // The classes are shown before hundreds of maps are painted.
    requestAnimationFrame(() => setTimeout(() => fill(parts.activations, activations.render(), insideHint())));
    fill(parts.filters, state.opened && renderFilters(state.opened.filters));
  }

  function controlsOf(): readonly (Node | undefined)[] {
    const options = state.listed.map(({ name }, i) => [String(i), name] as const);
    const chooser = select(options, String(state.chosen), (i) => void choose(Number(i)));
    const dropHint = h("p", { class: "hint" }, t("dropHere"));
    const buttons = h(
      "div",
      { class: "row" },
      fileButton(t("chooseImage"), { accept: "image/*" }, ([file]) => file && void take(file)),
      h("button", { type: "button", onclick: () => void toggleCamera() }, t(state.camera ? "stopCamera" : "camera")),
      state.camera && h("button", { type: "button", class: "primary", onclick: shoot }, t("takePhoto")),
    );
    return [
      h(
        "div",
        { class: "row" },
        state.listed.length > 0 && field(t("model"), chooser),
        fileButton(t("openFile"), { accept: ".safetensors" }, ([file]) => file && void openFile(file)),
      ),
      h("div", { class: "drop", id: "drop" }, dropHint, buttons, state.camera?.video),
    ];
  }

  /** The way to look inside a network that the server computes. */
  function insideHint(): Node | undefined {
    const source = state.listed[state.chosen]?.source;
    if (state.opened || !source || source instanceof Blob || !source.isServed) return undefined;
    if (!source.file) return h("p", { class: "hint" }, t("weightsNotShared"));
    return h("button", { type: "button", onclick: () => void open(source) }, t("lookInside"));
  }

  async function choose(index: number): Promise<void> {
    state.chosen = index;
    state.opened = undefined;
    state.engine = undefined;
    state.prediction = undefined;
    state.latest++;
    result.forget();
    const listed = state.listed[index] as Listed;
    const { source, name } = listed;
    render();
    if (!isServed(listed)) return open(source);
    report(() => t("fromServer", { name }));
    await classify();
  }

  async function open(source: OfferedModel | File): Promise<void> {
    const { name } = source;
    const isChosen = () => state.listed[state.chosen]?.source === source;
    report(() => t("loading", { name }));
    try {
      const opened = await networks.open(source, isChosen);
      if (!opened) return;
      state.opened = opened;
      showEngine(opened.engine);
      const parameters = parametersOf(opened.network).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
      // Only the results: a click on a control that is replaced meanwhile would be lost.
      renderResult();
      report(() => t("modelReady", { name, classes: opened.classNames.length, parameters }));
      await classify();
    } catch (error) {
      if (isChosen()) report(() => t("loadFailed", { name, problem: messageOf(error) }), true);
    }
  }

  /** Compiles the open network, or the one that is about to open, for another choice of what computes. */
  async function recompile(): Promise<void> {
    state.latest++;
    try {
      const engine = await networks.use();
      if (!engine || !state.opened) return;
      showEngine(engine);
      await classify();
    } catch (error) {
      report(() => t("failed", { problem: messageOf(error) }), true);
    }
  }

  async function openFile(file: File): Promise<void> {
    state.listed.push({ name: file.name, source: file });
    await choose(state.listed.length - 1);
  }

  async function take(file: File): Promise<void> {
    state.taken = file;
    let image: RawImage | undefined;
    try {
      image = await decodeImage(file);
    } catch (error) {
      if (state.taken !== file) return;
      // A server decodes more kinds of files than a browser.
      const listed = state.listed[state.chosen];
      if (state.opened || !listed || !isServed(listed)) return report(() => messageOf(error), true);
    }
    if (state.taken !== file) return;
    state.image = image;
    state.file = file;
    await classify();
  }

  async function toggleCamera(): Promise<void> {
    try {
      const { camera } = state;
      state.camera = camera ? undefined : await startCamera();
      camera?.stop();
    } catch (error) {
      report(() => messageOf(error), true);
    }
    fill(parts.controls, ...controlsOf());
  }

  function shoot(): void {
    if (!state.camera) return;
    state.taken = "photo";
    state.image = frameOf(state.camera.video);
    state.file = undefined;
    void classify();
  }

  async function classify(): Promise<void> {
    const { image, file } = state;
    const listed = state.listed[state.chosen];
    if (!listed || (!image && !file)) return;
    // A network that is still loading classifies the image once it is open.
    if (!(state.opened && image) && !isServed(listed)) return;
    const own = ++state.latest;
    report(() => t("classifying"));
    try {
      const isHere = state.opened !== undefined && image !== undefined;
      const prediction = await (isHere ? networks.predict(image) : networks.predictRemotely(listed.name, image, file));
      if (own !== state.latest) return;
      state.prediction = prediction;
      result.forget();
      report(() => t("answered", { milliseconds: prediction.milliseconds }));
      renderResult();
    } catch (error) {
      if (own === state.latest) report(() => t("failed", { problem: messageOf(error) }), true);
    }
  }

  onComputation(() => void recompile());
  const opened = state.listed.length > 0 ? choose(0) : Promise.resolve();
  return {
    element,
    opened,
    render,
    takeFiles: ([taken]) => taken && void (isWeights(taken.file) ? openFile(taken.file) : take(taken.file)),
    openFile,
  };
}

/** True if the server predicts. */
function isServed({ source }: Listed): boolean {
  return !(source instanceof Blob) && source.isServed === true;
}

function isWeights({ name }: File): boolean {
  return name.endsWith(".safetensors");
}

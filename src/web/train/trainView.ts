/** The view "Train": images, settings, a run with its curves and results, downloads. */
import type { PageData } from "../../exchange/webPageData.ts";
import { chosenComputation } from "../computation.ts";
import { fill, h } from "../dom.ts";
import { t } from "../language.ts";
import { fetchSample } from "../pageData.ts";
import type { View } from "../view.ts";
import { type Connection, messageOf, startWorker } from "../worker/calls.ts";
import type {
  DataSource,
  DownloadFormat,
  RunEnd,
  RunFacts,
  TestResult,
  TrainerApi,
  TrainerEvent,
} from "../worker/trainerApi.ts";
import { createDataPart } from "./dataPart.ts";
import { createRunPart, type ShownRun, showRun } from "./runPart.ts";
import { createSettingsPart } from "./settingsPart.ts";
import { createTestPart } from "./testPart.ts";

const endings: Readonly<Record<DownloadFormat, string>> = { safetensors: "alexnet.safetensors", onnx: "alexnet.onnx" };
/** Milliseconds between two drawings of a run in training: a hundred epochs of few images may take one second. */
const REDRAW = 400;

/** Creates the view; `tryFile` opens the trained network in the view "Try". Long, since its functions render and change one run. */
export function createTrainView({ sample }: PageData, tryFile: (file: File) => Promise<void>): View {
  const element = h("div");
  const status = h("p", { class: "status", role: "status" });
  const storage = h("p", { class: "hint" });
  const savedPart = h("div");
  const resultPart = h("section");
  let run: ShownRun | undefined;
  let isDrawingDue = false;
  /** The evaluation that is shown. */
  let shownTest: TestResult | undefined;
  let saved: (() => string) | undefined;
  /** True once the graphics adapter of the run has failed: only its saved state can continue. */
  let isLost = false;

  const worker: Connection<TrainerApi> = startWorker<TrainerApi, TrainerEvent>("trainer", {
    onEvent: (event) => handle(event),
    onEnd(problem) {
      report(() => t("workerEnded", { problem }), true);
      if (run) stop(run, () => t("stateFailed", { problem }), true);
    },
  });

  function report(text: () => string, isProblem = false): void {
    status.textContent = text();
    status.classList.toggle("problem", isProblem);
  }

  // Browsers discard hidden tabs to free memory, and phones freeze them first.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && run?.isRunning) void worker.call("save").catch(() => {});
  });

  const data = createDataPart(worker, sample, report);
  const settings = createSettingsPart(() => void create());
  const tests = createTestPart(worker);
  const controls = createRunPart({
    start: () => void train(false),
    step: () => void train(true),
    pause: () => void attempt(() => worker.call("pause")),
  });

  /** Runs an action of a button, and shows its error. */
  async function attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      report(() => messageOf(error), true);
    }
  }

  function create(): Promise<void> {
    return attempt(async () => {
      report(() => t("creating"));
      show(await worker.call("create", await settings.read()));
    });
  }

  function restore(source: DataSource): Promise<void> {
    return attempt(async () => {
      report(() => t("creating"));
      const bytes = source === "sample" && sample ? await fetchSample(sample) : undefined;
      show(await worker.call("restore", { sample: bytes, computation: chosenComputation() }));
      fill(savedPart);
    });
  }

  function show(facts: RunFacts): void {
    run = showRun(facts);
    isLost = false;
    saved = undefined;
    storage.textContent = "";
    report(() => "");
    renderRun();
  }

  function renderRun(): void {
    controls.render(run);
    renderTest();
    renderResult();
  }

  function renderTest(): void {
    shownTest = run?.test;
    tests.show(run && shownTest && { test: shownTest, classNames: run.facts.classNames });
  }

  /** Draws figures, curves and a new evaluation. */
  function draw(own: ShownRun): void {
    controls.update(own);
    if (own.test !== shownTest) renderTest();
  }

  /** Draws soon: not at every event, of which the page may get more than it can draw. */
  function drawSoon(): void {
    if (isDrawingDue) return;
    isDrawingDue = true;
    setTimeout(() => {
      isDrawingDue = false;
      if (run) draw(run);
    }, REDRAW);
  }

  function renderResult(): void {
    fill(resultPart);
    if (!run) return;
    const button = (format: DownloadFormat, text: string) =>
      h("button", { type: "button", onclick: () => void download(format) }, text);
    fill(
      resultPart,
      h("h2", {}, t("results")),
      h(
        "div",
        { class: "row" },
        button("safetensors", t("downloadSafetensors")),
        button("onnx", t("downloadOnnx")),
        h("button", { type: "button", onclick: () => void tryIt() }, t("tryIt")),
      ),
      h("p", { class: "hint" }, t("downloadNote")),
    );
  }

  async function fileOf(format: DownloadFormat): Promise<File> {
    const bytes = await worker.call("download", format);
    return new File([bytes as BlobPart], endings[format]);
  }

  function download(format: DownloadFormat): Promise<void> {
    return attempt(async () => {
      const file = await fileOf(format);
      const link = h("a", { href: URL.createObjectURL(file), download: file.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
  }

  function tryIt(): Promise<void> {
    return attempt(async () => tryFile(await fileOf("safetensors")));
  }

  async function train(isStep: boolean): Promise<void> {
    const own = run;
    if (!own) return;
    own.isRunning = true;
    own.state = () => t("stateRunning");
    controls.showState(own);
    await attempt(() =>
      worker.call("run", isStep).catch((error: unknown) => {
        stop(own, () => t("stateFailed", { problem: messageOf(error) }), true);
        throw error;
      }),
    );
  }

  /** Shows that training has ended; `isDone`: it cannot continue. */
  function stop(own: ShownRun, state: () => string, isDone: boolean): void {
    own.isRunning = false;
    own.isDone = isDone;
    own.state = state;
    controls.showState(own);
    draw(own);
  }

  /** Events by kind. */
  const reactions: {
    readonly [K in TrainerEvent["kind"]]: (event: Extract<TrainerEvent, { kind: K }>, own: ShownRun) => void;
  } = {
    iteration({ point }, own) {
      own.points.push(point);
      setState(own, () => t(own.isRunning ? "stateRunning" : "statePaused"));
      drawSoon();
    },
    testing: ({ images, of }, own) => setState(own, () => t("stateTesting", { count: images, of })),
    test({ test }, own) {
      const { iteration, accuracy, loss } = test;
      own.tests.push({ iteration, accuracy, loss });
      own.test = test;
      setState(own, () => t("stateRunning"));
      drawSoon();
    },
    filters: ({ filters }) => controls.showFilters(filters),
    saved({ problem }) {
      saved = () => (problem === undefined ? t("saved") : t("notSaved", { problem }));
      storage.textContent = saved();
    },
    message: ({ text }) => report(() => text),
    stopped({ end, problem = "" }, own) {
      // After a failure the weights may be NaN, and are not those of the last position.
      stop(own, () => t(endTexts[end], { problem }), end !== "paused");
      if (end === "finished") report(() => t("epochsLeft"));
      if (end !== "adapterFailed") return;
      isLost = true;
      void attempt(async () => {
        const name = (await offerSaved()) ? "adapterFailed" : "adapterFailedUnsaved";
        report(() => t(name), true);
      });
    },
  };

  function setState(own: ShownRun, text: () => string): void {
    own.state = text;
    controls.showText(own);
  }

  function handle<K extends TrainerEvent["kind"]>(event: Extract<TrainerEvent, { kind: K }>): void {
    const react = reactions[event.kind] as (given: typeof event, own: ShownRun | undefined) => void;
    if (run || event.kind in withoutRun) react(event, run);
  }

  /** Offers the saved run: that of an earlier visit, or that of a run whose graphics adapter has failed. Resolves to false if there is none. */
  async function offerSaved(): Promise<boolean> {
    // It is read as a whole, so not while a run can continue.
    const isOpen = () => run && !isLost;
    const found = isOpen() ? undefined : await worker.call("saved");
    fill(savedPart);
    if (!found || isOpen()) return false;
    const { network, source, progress } = found;
    const forget = () =>
      attempt(async () => {
        await worker.call("forget");
        fill(savedPart);
      });
    fill(
      savedPart,
      h(
        "div",
        { class: "notice row" },
        h("span", {}, t("savedRun", { network, iteration: progress.iteration })),
        h("button", { type: "button", class: "primary", onclick: () => void restore(source) }, t("restore")),
        h("button", { type: "button", onclick: () => void forget() }, t("forget")),
      ),
    );
    return true;
  }

  function render(): void {
    data.render();
    settings.render();
    fill(
      element,
      h("h1", {}, t("trainView")),
      savedPart,
      data.element,
      settings.element,
      status,
      controls.element,
      storage,
      tests.element,
      resultPart,
    );
    storage.textContent = saved?.() ?? "";
    renderRun();
    void attempt(async () => void (await offerSaved()));
  }

  return { element, render, takeFiles: data.takeFiles };
}

const endTexts = {
  paused: "statePaused",
  finished: "stateFinished",
  failed: "stateFailed",
  adapterFailed: "stateFailed",
} as const satisfies Readonly<Record<RunEnd, string>>;

/** Events that concern no run in particular. */
const withoutRun = { saved: true, message: true } as const;

/** Choice of the training images: the sample, or the reader's own by class. */
import type { RawImage } from "../../image/rawImage.ts";
import { fileButton, fill, h } from "../dom.ts";
import { type Camera, frameOf, KEPT_SIDE, startCamera } from "../images.ts";
import { t } from "../language.ts";
import { fetchSample } from "../pageData.ts";
import { paintImage } from "../paint.ts";
import type { TakenFile } from "../view.ts";
import { type Connection, messageOf } from "../worker/calls.ts";
import type { DataCounts, TrainerApi } from "../worker/trainerApi.ts";
import { byDrop, byFolder, type ClassFiles, decodeAll } from "./ownImages.ts";

/** Images shown of a class. */
const SHOWN = 9;

/** The part of the view. */
export interface DataPart {
  readonly element: HTMLElement;
  render(): void;
  takeFiles(files: readonly TakenFile[]): void;
}

/** Creates the part; `report` shows a sentence to the reader. */
export function createDataPart(
  worker: Connection<TrainerApi>,
  sample: string | undefined,
  report: (text: () => string, isProblem?: boolean) => void,
): DataPart {
  let counts: DataCounts = { source: "own", classes: [] };
  let camera: { readonly className: string; readonly running: Camera } | undefined;
  const element = h("section");
  const list = h("div", { class: "cards" });

  async function attempt(work: () => Promise<DataCounts>): Promise<void> {
    try {
      counts = await work();
    } catch (error) {
      report(() => messageOf(error), true);
    }
    renderList();
  }

  const add = (className: string, images: readonly RawImage[]) => worker.call("addImages", { className, images });

  function addFiles(classes: readonly ClassFiles[]): Promise<void> {
    const of = classes.reduce((sum, { files }) => sum + files.length, 0);
    return attempt(async () => {
      let done = 0;
      const skipped: string[] = [];
      for (const { className, files } of classes) {
        const before = done;
        const decoded = await decodeAll(files, (count) => {
          done = before + count;
          report(() => t("reading", { count: done, of }));
        });
        skipped.push(...decoded.skipped);
        if (decoded.images.length > 0) counts = await add(className, decoded.images);
      }
      const [problem] = skipped;
      const isProblem = problem !== undefined;
      report(() => (isProblem ? t("skipped", { count: skipped.length, problem }) : ""), isProblem);
      return counts;
    });
  }

  function useSample(address: string): Promise<void> {
    return attempt(async () => {
      const used = await worker.call("useSample", await fetchSample(address));
      report(() => "");
      return used;
    });
  }

  async function shootFor(className: string): Promise<void> {
    if (camera?.className === className) {
      await attempt(() => add(className, [frameOf((camera as { running: Camera }).running.video, KEPT_SIDE)]));
      return;
    }
    camera?.running.stop();
    camera = undefined;
    try {
      camera = { className, running: await startCamera() };
    } catch (error) {
      report(() => messageOf(error), true);
    }
    renderList();
  }

  function stopCamera(): void {
    camera?.running.stop();
    camera = undefined;
    renderList();
  }

  function remove(className: string): Promise<void> {
    return attempt(() => worker.call("removeClass", className));
  }

  function renderList(): void {
    const isOwn = counts.source === "own";
    list.classList.toggle("compact", !isOwn);
    fill(list, ...counts.classes.map(({ className, images }) => card(className, images, isOwn)));
  }

  function card(className: string, images: number, isOwn: boolean): HTMLElement {
    const thumbnails = h("div", { class: "thumbnails" });
    // If the worker has ended, the view says so.
    void worker.call("thumbnails", { className, count: SHOWN }).then(
      (found) => fill(thumbnails, ...found.map((image) => paintImage(image))),
      () => {},
    );
    const isShooting = camera?.className === className;
    const actions = [
      fileButton(t("addTo", { name: className }), { accept: "image/*", multiple: true }, (files) => {
        void addFiles([{ className, files }]);
      }),
      h(
        "button",
        { type: "button", onclick: () => void shootFor(className) },
        isShooting ? t("takePhoto") : t("shootFor", { name: className }),
      ),
      isShooting && h("button", { type: "button", onclick: stopCamera }, t("stopCamera")),
      h("button", { type: "button", onclick: () => void remove(className) }, t("remove", { name: className })),
    ];
    return h(
      "div",
      { class: "card", "data-class": className },
      h("h3", {}, className),
      h("p", { class: "hint" }, t("images", { count: images })),
      thumbnails,
      isShooting && camera?.running.video,
      isOwn && h("div", { class: "row" }, ...actions),
    );
  }

  function newClass(): HTMLElement {
    const input = h("input", { type: "text", maxlength: 100, "aria-label": t("newClass"), placeholder: t("newClass") });
    const submit = (event: Event) => {
      event.preventDefault();
      const className = input.value.trim();
      if (className === "") return;
      input.value = "";
      void attempt(() => add(className, []));
    };
    return h("form", { class: "row", onsubmit: submit }, input, h("button", { type: "submit" }, t("addClass")));
  }

  return {
    element,
    takeFiles(taken) {
      const classes = byDrop(taken);
      if (classes.length > 0) void addFiles(classes);
      else report(() => t("dropOnClass"), true);
    },
    render() {
      const sampleButton = sample
        ? h("button", { type: "button", class: "primary", onclick: () => void useSample(sample) }, t("useSample"))
        : h("p", { class: "hint" }, t("noSample"));
      fill(
        element,
        h("h2", {}, t("data")),
        h("p", { class: "hint" }, t("dataLead")),
        h(
          "div",
          { class: "row" },
          sampleButton,
          fileButton(t("chooseFolder"), { folder: true }, (files) => void addFiles(byFolder(files))),
          newClass(),
        ),
        sample && h("p", { class: "hint" }, t("sampleLicence")),
        list,
      );
      renderList();
    },
  };
}

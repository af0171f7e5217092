/** Pages with a record of their workers' messages and of when they show classes, and with a function that drops a file. */
/// <reference lib="dom" />
import type { Browser, Page } from "playwright-core";
import type { ClassScore } from "../src/model/predictRows.ts";
import type { Recipe } from "../src/training/recipe.ts";
import type { RunFacts, TrainerEvent } from "../src/web/worker/trainerApi.ts";

/** Times are milliseconds since the start of the page load. */
export interface PageRecord {
  /** Times at which classes were shown. */
  readonly answers: number[];
  /** Classes of each prediction. */
  readonly predictions: (readonly ClassScore[])[];
  /** Time of each training iteration. */
  readonly iterations: number[];
  /** Test accuracy of each evaluation of the newest run. */
  tests: number[];
  /** Recipe of the newest run. */
  recipe: Recipe | undefined;
}

interface Message {
  readonly result?: Partial<RunFacts> & { readonly classes?: readonly ClassScore[]; readonly layers?: unknown };
  readonly event?: TrainerEvent;
}

/** Starts the record as `record`, and defines `drop`. Refers to nothing outside, since it runs in the page. */
function recordPage(dropped: readonly number[] | undefined): void {
  const record: PageRecord = { answers: [], predictions: [], iterations: [], tests: [], recipe: undefined };
  const scope = globalThis as unknown as Record<string, unknown>;
  scope["record"] = record;
  const note = ({ result, event }: Message) => {
    if (result?.classes && result.layers) record.predictions.push(result.classes);
    if (result?.recipe) {
      record.recipe = result.recipe;
      record.tests = [];
    }
    if (event?.kind === "iteration") record.iterations.push(performance.now());
    if (event?.kind === "test") record.tests.push(event.test.accuracy);
  };
  scope["Worker"] = class extends Worker {
    constructor(address: string | URL, options?: WorkerOptions) {
      super(address, options);
      this.addEventListener("message", ({ data }: MessageEvent<Message>) => note(data));
    }
  };
  const drop = (bytes: readonly number[]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(bytes)], "image", { type: "image/*" }));
    const began = performance.now();
    (document.getElementById("drop") ?? document).dispatchEvent(
      new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }),
    );
    return began;
  };
  scope["drop"] = drop;
  let isWaiting = dropped !== undefined;
  let shown: Element | null = null;
  new MutationObserver(() => {
    if (isWaiting && document.getElementById("drop")) {
      isWaiting = false;
      drop(dropped ?? []);
    }
    const classes = document.querySelector(".classes");
    if (classes && classes !== shown) record.answers.push(performance.now());
    shown = classes;
  }).observe(document, { childList: true, subtree: true });
}

/** Opens a page with a record. With `dropped`, that file is dropped as soon as the page takes files. */
export async function openRecorded(browser: Browser, url: string, dropped?: Uint8Array): Promise<Page> {
  const context = await browser.newContext();
  // tsx compiles functions to calls of its own __name.
  await context.addInitScript("globalThis.__name = (value) => value");
  await context.addInitScript(recordPage, dropped ? [...dropped] : undefined);
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(url);
  return page;
}

/** The record so far. */
export function recordOf(page: Page): Promise<PageRecord> {
  return page.evaluate(() => (globalThis as unknown as { readonly record: PageRecord }).record);
}

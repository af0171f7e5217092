/** The browser app. One script is the page and its workers: a worker's name says what it serves. */
import type { PageData } from "../exchange/webPageData.ts";
import { createExplainView } from "./explain/explainView.ts";
import { keepOffline } from "./offline/offlineCopy.ts";
import { fetchSample, readPageData } from "./pageData.ts";
import { type ShownPage, showPage } from "./shell.ts";
import { createTrainView } from "./train/trainView.ts";
import { createTryView } from "./try/tryView.ts";
import { messageOf } from "./worker/calls.ts";
import { serveTrainer } from "./worker/trainer.ts";
import { serveViewer } from "./worker/viewer.ts";

const workers: Readonly<Record<string, () => void>> = { viewer: serveViewer, trainer: serveTrainer };

function startPage(): void {
  const data = readPageData();
  const tryView = createTryView(data);
  const trainView = createTrainView(data, async (file) => {
    page.show("try");
    await tryView.openFile(file);
  });
  const isServed = data.models.some((model) => model.isServed === true);
  const page = showPage({ try: tryView, explain: createExplainView(), train: trainView }, isServed);
  void prepareOffline(data, tryView.opened, page);
}

/** Fetches the sample, and copies the site to the browser, so that everything works without a network. The first network comes first. */
async function prepareOffline({ sample, offline }: PageData, opened: Promise<void>, page: ShownPage): Promise<void> {
  await opened;
  if (sample) await fetchSample(sample).catch(() => {});
  if (offline === undefined) return;
  await keepOffline(offline).then(
    () => page.showOffline(),
    (error: unknown) => page.showOffline(messageOf(error)),
  );
}

if (typeof document === "undefined") workers[self.name]?.();
else startPage();

/** The browser app. One script is the page and its workers: a worker's name says what it serves. */
import { createExplainView } from "./explain/explainView.ts";
import { fetchSample, readPageData } from "./pageData.ts";
import { showPage } from "./shell.ts";
import { createTrainView } from "./train/trainView.ts";
import { createTryView } from "./try/tryView.ts";
import { serveTrainer } from "./worker/trainer.ts";
import { serveViewer } from "./worker/viewer.ts";

const workers: Readonly<Record<string, () => void>> = { viewer: serveViewer, trainer: serveTrainer };

function startPage(): void {
  const data = readPageData();
  const tryView = createTryView(data);
  const trainView = createTrainView(data, async (file) => {
    show("try");
    await tryView.openFile(file);
  });
  const isServed = data.models.some((model) => model.isServed === true);
  const show = showPage({ try: tryView, explain: createExplainView(), train: trainView }, isServed);
  // Fetched at once, so that everything works without a network afterwards.
  if (data.sample) void fetchSample(data.sample).catch(() => {});
}

if (typeof document === "undefined") workers[self.name]?.();
else startPage();

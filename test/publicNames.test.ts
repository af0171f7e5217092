/** The names that the package exports are those in use, and each of them is in the program that compiles only while they are as they were. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as api from "../src/index.ts";
import { root } from "./sourceFiles.ts";

const values = (
  "AlexNetError CheckpointError ClosedError ConfigError DataError DivergenceError NativeError ShapeError UnsupportedError " +
  "adaptiveAveragePool2d averagePool2d conv2d drawActivations drawFilters drawNetwork dropout evaluateEnsemble exportModel " +
  "findLearningRate findNetwork findPictures findRecipe findSimilar flatten importModel linear localResponseNorm mapPictures " +
  "maxPool2d measureSaliency networks openClassifier openLayerOutputs parseNetwork predictFiles readCaffeFile readOnnxFile " +
  "readSweepPlan recipes relu runSweep sigmoid summarize tanh trainClassifier verifyModel withClasses withInput writeFeatures " +
  "writeOnnx"
).split(" ");

const types = (
  "ActivationOptions ActivationSheet CaffeOptions ClassScore Classifier DescribeOptions EnsembleEvaluation EnsembleRun " +
  "EvaluateRunOptions Evaluation ExportOptions Exported FilePrediction FilterSheet HeadName Image ImageInput ImportOptions Imported ImportedModel " +
  "LayerActivity LayerOutputs LayerSummary MapMethod MapOptions MapPoint Neighbour Network NetworkSummary OnnxFile OnnxOptions " +
  "OpenOptions PaperFigure PictureMap PredictFilesOptions PredictOptions Prediction Quantization QuantizationReport " +
  "QuantizeOptions RateFinderOptions RateFinding RawImage ReadParameter Recipe Saliency SaliencyOptions SimilarOptions SimilarPictures " +
  "SweepOptions SweepPlan SweepResult Theme TrainObserver TrainOptions TrainProgress TrainResult TrialResult Verification " +
  "VerifyOptions WrittenFeatures"
).split(" ");

const remedy = "enter a new name in test/publicNames.test.ts and test/publicNames.ts; one that is there stays";

/** Names between the braces of `export { … }` and `export type { … }`; those of types with `type ` before them. */
function exportedNames(text: string): readonly string[] {
  const reExport = /^export (type )?\{([^}]*)\} from "[^"]+";$/gm;
  return [...text.matchAll(reExport)].flatMap(([, ofTypes = "", names = ""]) =>
    names
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "")
      .map((name) => `${ofTypes}${name}`),
  );
}

test("src/index.ts exports the values and types that are in use, and no others", () => {
  assert.deepEqual(Object.keys(api).sort(), [...values].sort(), remedy);
  const named = exportedNames(readFileSync(join(root, "src/index.ts"), "utf8"));
  const namedTypes = named.filter((name) => name.startsWith("type ")).map((name) => name.slice("type ".length));
  assert.deepEqual(namedTypes.sort(), [...types].sort(), remedy);
});

test("every name is in the program that holds its keys, fields or signature", () => {
  const program = ["publicNames.ts", "publicOptions.ts", "publicResults.ts"]
    .map((name) => readFileSync(join(root, "test", name), "utf8"))
    .join("");
  const missing = [
    ...values.filter((name) => !new RegExp(`Returns<\\s*typeof api\\.${name},`).test(program)),
    ...types.filter((name) => !new RegExp(`(?:Accepts|Returns)<\\s*${name},`).test(program)),
  ];
  assert.deepEqual(missing, [], remedy);
});

/** The names that the package exports are those in use, and each of them is in the program that compiles only while they are as they were. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as browser from "../src/browser.ts";
import * as core from "../src/core.ts";
import * as formats from "../src/formats.ts";
import * as api from "../src/index.ts";
import * as onednn from "../src/onednn.ts";
import * as wasm from "../src/wasm.ts";
import { root } from "./sourceFiles.ts";

const values = (
  "AlexNetError CheckpointError ClosedError ConfigError DataError DivergenceError NativeError ShapeError UnsupportedError " +
  "adaptiveAveragePool2d averagePool2d batchNorm2d conv2d drawActivations drawFilters drawNetwork dropout evaluateEnsemble exportModel " +
  "findLearningRate findNetwork findPictures findRecipe findSimilar flatten importModel linear localConv2d localResponseNorm mapPictures " +
  "maxPool2d measureSaliency networks openClassifier openLayerOutputs parseNetwork predictFiles readCaffeFile readOnnxFile " +
  "readImage readSweepPlan recipes relu runSweep sigmoid summarize tanh trainClassifier trainFolds verifyModel withClasses withInput writeFeatures " +
  "writeOnnx"
).split(" ");

const types = (
  "ActivationOptions ActivationSheet CaffeOptions ClassScore Classifier DescribeOptions EnsembleEvaluation EnsembleRun " +
  "EvaluateRunOptions Evaluation ExportOptions Exported FilePrediction FilterSheet FoldStatistics FoldsResult HeadName Image ImageInput ImportOptions Imported ImportedModel " +
  "LayerActivity LayerOutputs LayerSummary MapMethod MapOptions MapPoint Neighbour Network NetworkSummary OnnxFile OnnxOptions " +
  "OpenOptions PaperFigure PictureMap PredictFilesOptions PredictOptions Prediction Quantization QuantizationReport " +
  "QuantizeOptions RateFinderOptions RateFinding RawImage ReadParameter Recipe Saliency SaliencyOptions SimilarOptions SimilarPictures " +
  "SweepOptions SweepPlan SweepResult Theme TrainFoldsOptions TrainObserver TrainOptions TrainProgress TrainResult TrialResult Verification " +
  "VerifyOptions WrittenFeatures"
).split(" ");

/** Names of the other entry points. */
const others = {
  core: {
    values: words(
      "AlexNetError CheckpointError ClosedError ConfigError DataError DivergenceError NonFiniteError ShapeError " +
        "UnimplementedError adaptiveAveragePool2d averagePool2d conv2d createClassifier createDataset createPreprocessor " +
        "createReferenceEngine dropout findNetwork findRecipe flatten fromArrays fromIterable linear localResponseNorm " +
        "maxPool2d networks parseNetwork parseRecipe recipes relu sigmoid summarize tanh trainNetwork withClasses withInput",
    ),
    types: words(
      "AnyLayer ArrayOptions ClassFigures ClassScore ClassifierModel ClassifierOptions CompileRequest Dataset DropoutDraws " +
        "Engine EvaluateSplitOptions Evaluation HeadName Image IterableOptions LabelledArrays LabelledImage LayerSummary " +
        "MemoryOptions Network NetworkClassifier NetworkModel NetworkObserver NetworkSummary OwnDataset OwnSplit PaperFigure " +
        "Parameter Pixels Precision PrecisionSupport PredictOptions Prediction Preprocessing Preprocessor Program RawImage " +
        "Recipe Split StepReading Tensor TrainNetworkOptions TrainProgress TrainableParameter TrainedNetwork TrainingProgram " +
        "Weights",
    ),
  },
  browser: {
    values: words(
      "CheckpointError ClosedError ConfigError NativeError ShapeError UnimplementedError createClassActivator createWasmEngine " +
        "readModelBytes writeModelBytes writeOnnx",
    ),
    types: words(
      "ClassActivation ClassActivator Engine NetworkModel OnnxFile OnnxOptions Precision PrecisionSupport Quantization " +
        "ReadParameter WasmOptions Weights",
    ),
  },
  onednn: {
    values: words("ClosedError ConfigError NativeError ShapeError UnimplementedError createOneDnnEngine"),
    types: words("Engine OneDnnOptions Precision PrecisionSupport"),
  },
  wasm: {
    values: words("ClosedError ConfigError NativeError ShapeError UnimplementedError createWasmEngine"),
    types: words("Engine Precision PrecisionSupport WasmOptions"),
  },
  formats: {
    values: words(
      "CheckpointError ConfigError DataError ShapeError UnsupportedError readCaffeFile readModel readOnnxFile " +
        "readPyTorchFile readSafetensorsFile weightsOf writeModel writeOnnx writePyTorchFile writeSafetensorsFile",
    ),
    types: words(
      "CaffeOptions ImportedMetadata ImportedModel NamedTensor NetworkModel OnnxFile OnnxOptions OnnxReadOptions PyTorchReadOptions Quantization " +
        "ReadParameter Tensors Weights",
    ),
  },
} as const;

function words(text: string): readonly string[] {
  return text.split(" ");
}

const remedy =
  "enter a new name in test/publicNames.test.ts and test/publicNames.ts or test/publicEntries.ts; one that is there stays";

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

/** The names of the types that an entry point exports. */
function exportedTypes(entry: string): readonly string[] {
  const named = exportedNames(readFileSync(join(root, `src/${entry}.ts`), "utf8"));
  return named.filter((name) => name.startsWith("type ")).map((name) => name.slice("type ".length));
}

test("every entry point exports the values and types that are in use, and no others", () => {
  const modules = { index: api, core, browser, onednn, wasm, formats };
  for (const [entry, expected] of Object.entries({ index: { values, types }, ...others })) {
    const exported = Object.keys(modules[entry as keyof typeof modules]);
    assert.deepEqual(exported.sort(), [...expected.values].sort(), `${entry}: ${remedy}`);
    assert.deepEqual(exportedTypes(entry).toSorted(), [...expected.types].sort(), `${entry}: ${remedy}`);
  }
});

test("package.json has the entry points, with types", () => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const paths = Object.keys({ index: {}, ...others }).map((entry) => {
    const built = { types: `./dist/${entry}.d.ts`, default: `./dist/${entry}.js` };
    return [entry === "index" ? "." : `./${entry}`, built];
  });
  assert.deepEqual(exports, { ...Object.fromEntries(paths), "./package.json": "./package.json" });
});

test("every name is in the program that holds its keys, fields or signature", () => {
  const program = ["publicNames.ts", "publicOptions.ts", "publicResults.ts", "publicEntries.ts"]
    .map((name) => readFileSync(join(root, "test", name), "utf8"))
    .join("");
  const all = [{ values, types }, ...Object.values(others)];
  const missing = [
    ...all
      .flatMap((entry) => entry.values)
      .filter((name) => !new RegExp(`Returns<\\s*typeof \\w+\\.${name},`).test(program)),
    ...all
      .flatMap((entry) => entry.types)
      .filter((name) => !new RegExp(`(?:Accepts|Returns)<\\s*(?:\\w+\\.)?${name},`).test(program)),
  ];
  assert.deepEqual(missing, [], remedy);
});

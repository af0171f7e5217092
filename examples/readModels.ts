/** Reads an ONNX model and a PyTorch state dict and runs both: `readModels.ts MODEL.onnx WEIGHTS.pth`. */
import { createClassifier } from "alexnet/core";
import { readOnnxFile, readPyTorchFile, weightsOf, writeModel } from "alexnet/formats";
import { createOneDnnEngine } from "alexnet/onednn";

const [onnxFile = "model.onnx", pthFile = "weights.pth"] = process.argv.slice(2);
const engine = createOneDnnEngine({ threads: 1 });

// An ONNX file contains the network; one that was exported here also says its classes and preprocessing.
const { network, tensors, metadata } = await readOnnxFile(onnxFile);
const { classNames = [], preprocessing } = metadata;
if (!preprocessing) throw new Error(`${onnxFile}: no preprocessing in it; state the mean and deviation`);
const fromOnnx = await createClassifier({ network, weights: tensors, classNames, preprocessing }, { engine });

// A state dict contains values only: their names are matched with the network's.
const weights = await weightsOf(network, await readPyTorchFile(pthFile), pthFile);
const fromPyTorch = await createClassifier({ network, weights, classNames, preprocessing }, { engine });

const [height, width] = preprocessing.size;
const grey = { width, height, data: new Uint8Array(width * height).fill(128) };
for (const [name, classifier] of Object.entries({ onnx: fromOnnx, pytorch: fromPyTorch })) {
  const [best] = await classifier.predict(grey);
  console.log(`${name}: ${best?.className} ${best?.probability.toFixed(4)}`);
  await classifier.close();
}

// From here on every command reads it: alexnet predict model.safetensors PHOTO
await writeModel(`${onnxFile}.safetensors`, fromPyTorch.model);
engine.close();

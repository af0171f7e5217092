/** Worker that computes with TensorFlow.js in WebAssembly, for inference. The last argument but one is the location of its package. */
import { createRequire } from "node:module";
import { ConfigError } from "../../src/errors.ts";
import { serveLines, workerSetting } from "./nodeWorker.ts";
import { create, type TensorFlow } from "./tfjsComputation.ts";
import { openFolder } from "./workloadFolder.ts";

await serveLines(async ({ folder, ...request }) => {
  const { mode, threads } = request;
  if (mode === "train") throw new ConfigError("it has no gradient of a convolution's weights (Conv2DBackpropFilter)");
  if (threads > 1) throw new ConfigError("it has one thread in Node.js; add --threads 1");
  const require = createRequire(`${workerSetting()}/package.json`);
  const tf = require("@tensorflow/tfjs-core") as TensorFlow;
  require(workerSetting());
  return create(tf, "wasm", await openFolder(folder), request);
});

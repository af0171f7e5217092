/** A network by name, JSON file or run. */
import { statSync } from "node:fs";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { loadModel } from "../checkpoint/model.ts";
import { pretrainedOf } from "../checkpoint/pretrainedFiles.ts";
import { networks } from "../network/alexnet.ts";
import { type Network, withClasses, withInput } from "../network/network.ts";
import { loadNetwork } from "../settings/load.ts";

/**
 * Opens a network by name, or from a JSON file, run directory, weights file or published weights. `inputSize` and `classes` replace its own.
 *
 * Throws ConfigError for an unknown name, CheckpointError for a run without weights, ShapeError if a layer no longer fits.
 */
export async function findNetworkOrRun(
  name: string,
  { inputSize, classes }: { readonly inputSize?: number; readonly classes?: number } = {},
): Promise<Network> {
  const network = isTrained(name) ? (await loadModel(await resolveModelFile(name))).network : await loadNetwork(name);
  const [channels] = network.input;
  const sized = inputSize === undefined ? network : withInput(network, [channels, inputSize, inputSize]);
  return classes === undefined ? sized : withClasses(sized, classes);
}

function isJson(name: string): boolean {
  return name.toLowerCase().endsWith(".json");
}

/** True for a path. A network's name always means the network: `./alexnet` means a folder of that name. */
function isTrained(name: string): boolean {
  if (networks.some((network) => network.name === name)) return false;
  if (pretrainedOf(name) !== undefined) return true;
  const found = statSync(name, { throwIfNoEntry: false });
  return name.endsWith(".safetensors") || found?.isDirectory() === true || (found?.isFile() === true && !isJson(name));
}

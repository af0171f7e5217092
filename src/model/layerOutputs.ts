/** A trained network compiled in parts, to read the outputs of its layers. */
import type { Model } from "../checkpoint/metadata.ts";
import type { DropoutDraws, Program } from "../engine/engine.ts";
import { ConfigError, DataError } from "../errors.ts";
import { firstNonFinite } from "../finite.ts";
import { hasWeights } from "../learned.ts";
import { type Network, type PlacedLayer, place } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { checkOutputs } from "../training/evaluation/classHead.ts";
import { createCallQueue } from "./callQueue.ts";
import { type OpenOptions, openPieces } from "./openModel.ts";

/** A trained network that returns the outputs of some of its layers. Calls may overlap; they run in order. */
export interface LayerOutputs {
  /** Weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** Description of the engine. */
  readonly engine: string;
  readonly threads: number;
  readonly layers: readonly PlacedLayer[];
  /** Memory for a batch of images, [batchSize, …input], for callers that await each call before they write the next images. */
  readonly input: Float32Array;
  /**
   * Returns the outputs of `layers` for `count` images, [count, …outputShape] each, as at evaluation, in memory that the caller owns. The images are
   * read before the call returns. `draws` seeds dropout that stays active; default: seed 0, first 0. Throws DataError for inputs or outputs that are
   * NaN or infinite; `nameOf` returns the name of a row's image for that message.
   */
  forward(
    images: Float32Array,
    count: number,
    draws?: DropoutDraws,
    nameOf?: (row: number) => string,
  ): Promise<readonly Float32Array[]>;
  /** Waits for the calls in flight, then frees all memory. Calls afterwards throw ClosedError; closing it again does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a run directory (its best weights) or a weights file to read the outputs of the layers that `choose` names, in the network's order. Layers
 * after the last of these are not computed.
 *
 * Throws as `openModel`; ConfigError for a layer that the network lacks.
 */
export async function openLayerOutputs(
  path: string,
  choose: (network: Network) => readonly string[],
  options: OpenOptions,
): Promise<LayerOutputs> {
  const endsOf = (network: Network) => positionsOf(network, choose(network));
  const { file, model, engine, ends, programs, close } = await openPieces(path, endsOf, options);
  const placed = place(model.network);
  const calls = createCallQueue(`layer outputs of ${path}`, close);
  const imageSize = sizeOf(model.network.input);
  let input: Float32Array | undefined;
  return {
    file,
    model,
    engine: engine.description,
    threads: engine.threads,
    layers: ends.map((end) => placed[end] as PlacedLayer),
    // Separate from the programs' input buffers, to which other calls are copied. Shared, since the threads that prepare batches write to it.
    get input() {
      input ??= new Float32Array(new SharedArrayBuffer(4 * imageSize * (programs[0] as Program).batchSize));
      return input;
    },
    forward: (images, count, { seed, first } = { seed: 0, first: 0 }, nameOf = (row) => `image ${row}`) =>
      calls.call(() => {
        checkInputs(images, count, imageSize, nameOf);
        // The caller may write other images once the call has returned.
        const own = calls.isIdle ? images : images.slice(0, count * imageSize);
        return calls.turn(async () => {
          const outputs = await runThrough(programs, own, count, { seed, first });
          for (const [i, values] of outputs.entries()) {
            const layer = placed[ends[i] as number]?.layer.name;
            checkOutputs(values, count, (row) => `${nameOf(row)}: layer "${layer}"`);
          }
          return outputs;
        });
      }),
    close: calls.close,
  };
}

function checkInputs(images: Float32Array, count: number, length: number, nameOf: (row: number) => string): void {
  const at = firstNonFinite(images.subarray(0, count * length));
  if (at < 0) return;
  throw new DataError(
    `${nameOf(Math.floor(at / length))}: expected finite inputs, got ${images[at]} at index ${at % length}`,
  );
}

function positionsOf({ name: of, layers }: Network, names: readonly string[]): readonly number[] {
  return names.map((name) => {
    const index = layers.findIndex((layer) => layer.name === name);
    if (index >= 0) return index;
    const known = layers.map((layer) => layer.name).join(", ");
    throw new ConfigError(`layer "${name}": ${of} has no layer with this name; expected one of ${known}`);
  });
}

async function runThrough(programs: readonly Program[], images: Float32Array, count: number, draws: DropoutDraws) {
  const outputs: Float32Array[] = [];
  for (const program of programs) {
    outputs.push(await program.forward(outputs.at(-1) ?? images, count, draws));
  }
  return outputs;
}

/** The layer before the last one with weights: its outputs are the features that the last one classifies. Throws ConfigError if there is none. */
export function lastHiddenLayer(network: Network): string {
  const last = place(network).findLastIndex(hasWeights);
  const hidden = network.layers[last - 1];
  if (hidden) return hidden.name;
  throw new ConfigError(`${network.name}: expected a hidden layer before the last layer with weights, found none`);
}

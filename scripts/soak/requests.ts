/** Requests of a soak: small image files, and tensors of the input's size. */
import { deflateSync } from "node:zlib";
import { encodePng } from "../../src/image/files/decode.ts";
import { fillWords, randomStream } from "../../src/random.ts";
import { postOf } from "./load.ts";

/** Noise: the same for the same number. */
export function noiseBytes(number: number, length: number): Uint8Array {
  const words = new Uint32Array(2 * Math.ceil(length / 8));
  fillWords(randomStream(1, "soak"), number, words);
  return new Uint8Array(words.buffer, 0, length);
}

/** A small PNG file of noise. */
export function smallImage(number: number, side = 32): Promise<Uint8Array> {
  return encodePng({ width: side, height: side, channels: 3, data: noiseBytes(number, 3 * side * side) });
}

/** A request of `/predict`. */
export function predictRequest(url: string, image: Uint8Array): Buffer {
  return postOf(url, "/predict?top=1000", image);
}

/** A request with one image as a binary tensor of pixels, whose answer is binary too. */
export function tensorRequest(url: string, model: string, shape: readonly number[], pixels: Uint8Array): Buffer {
  const json = Buffer.from(
    JSON.stringify({
      inputs: [{ name: "pixels", datatype: "UINT8", shape, parameters: { binary_data_size: pixels.length } }],
      outputs: [{ name: "probabilities", parameters: { binary_data: true } }],
    }),
  );
  const headers = { "Inference-Header-Content-Length": String(json.length) };
  return postOf(url, `/v2/models/${model}/infer`, Buffer.concat([json, pixels]), headers);
}

/** Requests that are refused, of several kinds. */
export function badRequests(url: string, model: string): readonly Buffer[] {
  return [
    postOf(url, "/predict", Buffer.from("no image")),
    postOf(url, "/predict?model=other", Buffer.from("x")),
    postOf(url, `/v2/models/${model}/infer`, Buffer.from('{"inputs":[]}')),
    postOf(url, "/predict", deflateSync(Buffer.alloc(1000))),
  ];
}

/** Shape of one image's tensor of pixels, [1, H, W, C], as the server's metadata state it. */
export async function pixelShape(url: string, model: string): Promise<readonly number[]> {
  const { inputs } = (await (await fetch(`${url}v2/models/${model}`)).json()) as {
    readonly inputs: readonly { readonly shape: readonly number[] }[];
  };
  return [1, ...(inputs[0]?.shape.slice(1) ?? [])];
}

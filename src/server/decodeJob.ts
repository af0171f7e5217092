/** Work of a decoding thread: from the body of a request to images. */
import { DataError } from "../errors.ts";
import { readImageInput } from "../image/files/imageInput.ts";
import { createPreprocessor, type Preprocessing } from "../image/prepare/preprocess.ts";
import { sizeOf } from "../shape.ts";
import type { Images } from "./engineHost.ts";
import { imageBytesOf } from "./imageBody.ts";
import { type InferRequest, parseInfer, type TensorFacts } from "./inferRequest.ts";
import { RequestError } from "./requestError.ts";

/** A network as the decoding threads see it. */
export interface DecodeModel extends TensorFacts {
  readonly preprocessing: Preprocessing;
}

/** A body to decode: an image in one of the forms of `imageBody.ts`, or a request in JSON for `parseInfer`. */
export type DecodeJob = {
  readonly model: number;
  readonly body: Uint8Array;
} & ({ readonly contentType: string } | { readonly jsonBytes: number });

/** Images, with the request that named them if there was one. */
export interface Decoded {
  readonly images: Images;
  readonly request?: InferRequest;
}

/** Result of a job: its images, or the error to answer with. */
export type DecodeOutcome = Decoded | { readonly status: number; readonly error: string };

/** Creates the function that runs jobs; it never rejects because of a body. */
export function createDecodeJobs(models: readonly DecodeModel[]): (job: DecodeJob) => Promise<DecodeOutcome> {
  const prepared = models.map((model) => ({ ...model, prepare: createPreprocessor(model.preprocessing) }));
  return async (job) => {
    const model = prepared[job.model] as (typeof prepared)[number];
    try {
      if ("jsonBytes" in job) return parseInfer([job.body], job.jsonBytes, model);
      const image = await readImageInput(await imageBytesOf(job.body, job.contentType));
      const values = new Float32Array(sizeOf(model.input));
      model.prepare(image, values, 0);
      return { images: { kind: "values", count: 1, data: [new Uint8Array(values.buffer)] } };
    } catch (error) {
      if (error instanceof RequestError) return { status: error.status, error: error.message };
      if (error instanceof DataError) return { status: 400, error: error.message };
      throw error;
    }
  };
}

/** Message of a thread that has started. */
export const READY = "ready";

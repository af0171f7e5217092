/**
 * Requests and answers of the Open Inference Protocol, version 2, with tensors as JSON or binary.
 *
 * Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md; triton-inference-server/server, docs/protocol/
 * extension_binary_data.md.
 */
import * as z from "zod";
import { messageOf } from "../errors.ts";
import { firstNonFinite } from "../finite.ts";
import { parseJsonText, problemsOf } from "../schema.ts";
import { type Shape, sizeOf } from "../shape.ts";
import type { Images } from "./engineHost.ts";
import { utf8 } from "./imageBody.ts";
import { copyOf, divide, joined, lengthOf, type Pieces } from "./pieces.ts";
import { RequestError } from "./requestError.ts";

/** A network's tensors. */
export interface TensorFacts {
  /** Shape of an input, [C, H, W]. */
  readonly input: Shape;
  /** Maximum number of images in a request. */
  readonly maxBatch: number;
}

/** Name of the output tensor. */
export const OUTPUT = "probabilities";

/** An input tensor that a network accepts; a request contains one of them. */
interface InputKind {
  readonly name: string;
  readonly datatype: string;
  readonly kind: Images["kind"];
  readonly bytesPerValue: number;
  /** Shape of one image. */
  shape(input: Shape): Shape;
  /** Bytes of values from JSON. Throws RequestError for a value that the type does not contain. */
  encode(values: readonly unknown[]): Uint8Array;
  /** Throws RequestError for bytes that are no values. */
  check(bytes: Pieces): void;
}

/** 8-bit pixels, as in an export with `--pixels`, and normalized values, as in an export without. */
export const inputKinds: readonly InputKind[] = [
  {
    name: "pixels",
    datatype: "UINT8",
    kind: "pixels",
    bytesPerValue: 1,
    shape: ([channels = 0, height = 0, width = 0]) => [height, width, channels],
    encode(values) {
      const isLevel = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
      const at = values.findIndex((value) => !isLevel(value));
      if (at >= 0) throw badValue("pixels", at, "a whole number from 0 to 255", values[at]);
      return Uint8Array.from(values as readonly number[]);
    },
    check: () => undefined,
  },
  {
    name: "input",
    datatype: "FP32",
    kind: "values",
    bytesPerValue: 4,
    shape: (input) => input,
    encode(values) {
      const at = values.findIndex((value) => typeof value !== "number" || !Number.isFinite(Math.fround(value)));
      if (at >= 0) throw badValue("input", at, "a finite number", values[at]);
      return new Uint8Array(Float32Array.from(values as readonly number[]).buffer);
    },
    check(bytes) {
      const values = new Float32Array(copyOf(bytes).buffer);
      const at = firstNonFinite(values);
      if (at >= 0) throw badValue("input", at, "a finite number", values[at]);
    },
  },
];

function badValue(name: string, at: number, expected: string, value: unknown): RequestError {
  const got = typeof value === "number" ? String(value) : typeof value;
  return new RequestError(400, `${name}: expected ${expected}, got ${got} for value ${at}`);
}

const parameters = z.looseObject({ binary_data: z.boolean().optional() }).optional();

const schema = z.looseObject({
  id: z.string().optional(),
  parameters: z.looseObject({ binary_data_output: z.boolean().optional() }).optional(),
  inputs: z.array(
    z.looseObject({
      name: z.string(),
      shape: z.array(z.int()),
      datatype: z.string(),
      parameters: z.looseObject({ binary_data_size: z.int().nonnegative().optional() }).optional(),
      data: z.unknown().optional(),
    }),
  ),
  outputs: z.array(z.looseObject({ name: z.string(), parameters })).optional(),
});

/** A request without its tensors. */
export interface InferRequest {
  readonly id?: string;
  /** True if the answer's tensor is binary. */
  readonly isBinary: boolean;
}

/**
 * Parses the body of a request, of which the first `jsonBytes` bytes are JSON and the others binary tensors. Throws RequestError naming the member
 * that is wrong.
 */
export function parseInfer(
  body: Pieces,
  jsonBytes: number,
  facts: TensorFacts,
): { readonly images: Images; readonly request: InferRequest } {
  const [json, binary] = divide(body, jsonBytes);
  const { id, parameters: asked, inputs, outputs = [] } = parseHead(joined(json));
  const unknown = outputs.find(({ name }) => name !== OUTPUT);
  if (unknown) throw new RequestError(400, `outputs: expected "${OUTPUT}", got ${quoted(unknown.name)}`);
  const [input, ...more] = inputs;
  const known = inputKinds.map(({ name }) => `"${name}"`).join(" or ");
  if (!input || more.length > 0) {
    throw new RequestError(400, `inputs: expected one tensor, ${known}, got ${inputs.length}`);
  }
  const kind = inputKinds.find(({ name }) => name === input.name);
  if (!kind) throw new RequestError(400, `inputs: expected the tensor ${known}, got ${quoted(input.name)}`);
  if (input.datatype !== kind.datatype) {
    throw new RequestError(400, `${kind.name}: expected datatype ${kind.datatype}, got ${quoted(input.datatype)}`);
  }
  const count = countOf(kind, input.shape, facts);
  const data = tensorOf(kind, input, sizeOf(input.shape), binary);
  const isBinary = outputs[0]?.parameters?.binary_data ?? asked?.binary_data_output ?? false;
  return { images: { kind: kind.kind, count, data }, request: { ...(id !== undefined && { id }), isBinary } };
}

function parseHead(json: Uint8Array): z.infer<typeof schema> {
  try {
    return schema.parse(parseJsonText(utf8(json)));
  } catch (error) {
    if (error instanceof RequestError) throw error;
    const why = error instanceof z.ZodError ? problemsOf(error) : messageOf(error);
    throw new RequestError(400, `body: expected a request of the Open Inference Protocol: ${why}`);
  }
}

/** The number of images, by the shape. */
function countOf(kind: InputKind, shape: Shape, { input, maxBatch }: TensorFacts): number {
  const own = kind.shape(input);
  const [count = 0, ...rest] = shape;
  if (rest.length !== own.length || rest.some((extent, i) => extent !== own[i]) || count < 1) {
    throw new RequestError(400, `${kind.name}: expected shape [n, ${own.join(", ")}], got [${shape.join(", ")}]`);
  }
  if (count <= maxBatch) return count;
  throw new RequestError(
    400,
    `${kind.name}: expected at most ${maxBatch} images, got ${count}; send fewer, or start the server with a larger --max-batch`,
  );
}

type TensorInput = z.infer<typeof schema>["inputs"][number];

/** The bytes of a tensor: of its JSON, or of the binary part. */
function tensorOf(kind: InputKind, input: TensorInput, values: number, binary: Pieces): Pieces {
  const size = input.parameters?.binary_data_size;
  const bytes = values * kind.bytesPerValue;
  const got = lengthOf(binary);
  if (size === undefined) {
    if (got > 0) {
      throw new RequestError(400, `${kind.name}: expected binary_data_size, since ${got} bytes follow the JSON`);
    }
    return [kind.encode(flat(kind.name, input.data, values))];
  }
  if (input.data !== undefined) {
    throw new RequestError(400, `${kind.name}: expected data or binary_data_size, got both`);
  }
  if (size !== bytes || got !== bytes) {
    throw new RequestError(
      400,
      `${kind.name}: expected ${bytes} binary bytes, got a binary_data_size of ${size} and ${got} bytes after the JSON`,
    );
  }
  kind.check(binary);
  return binary;
}

/** Deepest nesting of a tensor in JSON: its shape. */
const MAX_DEPTH = 4;

/** Values of a tensor in JSON, flat or nested by rows. Throws RequestError for another number of them. */
function flat(name: string, data: unknown, expected: number): readonly unknown[] {
  if (!Array.isArray(data)) throw new RequestError(400, `${name}: data: expected an array of numbers`);
  let values: readonly unknown[] = data;
  for (let depth = 1; depth < MAX_DEPTH && Array.isArray(values[0]); depth++) {
    values = values.flatMap((value) => (Array.isArray(value) ? (value as readonly unknown[]) : [value]));
  }
  if (values.length === expected) return values;
  throw new RequestError(400, `${name}: data: expected ${expected} values, got ${values.length}`);
}

/** A name from a request, for a message. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name);
}

/** The answer to a request: a body, and the length of its JSON if a tensor follows. */
export interface InferAnswer {
  readonly body: Uint8Array;
  readonly jsonBytes?: number;
}

/** Formats the probabilities [count, classes] of a request's images. */
export function formatInfer(
  model: string,
  { id, isBinary }: InferRequest,
  count: number,
  probabilities: Float64Array,
): InferAnswer {
  const shape = [count, probabilities.length / count];
  const bytes = new Uint8Array(probabilities.buffer, probabilities.byteOffset, probabilities.byteLength);
  const tensor = isBinary ? { parameters: { binary_data_size: bytes.length } } : { data: [...probabilities] };
  const outputs = [{ name: OUTPUT, shape, datatype: "FP64", ...tensor }];
  const json = new TextEncoder().encode(
    JSON.stringify({ model_name: model, model_version: VERSION, ...(id !== undefined && { id }), outputs }),
  );
  return isBinary ? { body: Buffer.concat([json, bytes]), jsonBytes: json.length } : { body: json };
}

/** The only version of a served network. */
export const VERSION = "1";

/** Metadata of a network. */
export function inferMetadata(name: string, { input }: TensorFacts, classes: number): object {
  return {
    name,
    versions: [VERSION],
    platform: "alexnet",
    // A request contains one input; the others are described in docs/serving.md.
    inputs: inputKinds.slice(0, 1).map(({ name: tensor, datatype, shape }) => ({
      name: tensor,
      datatype,
      shape: [-1, ...shape(input)],
    })),
    outputs: [{ name: OUTPUT, datatype: "FP64", shape: [-1, classes] }],
  };
}

/** Answers of the Open Inference Protocol, checked by its published description. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as z from "zod";
import { noise } from "./packPictures.ts";
import { SIDE, writeColour, writeGrey } from "./servedNetworks.ts";
import { ask, binaryInfer, jsonOf, startServing } from "./serving.ts";

let folder: string;
let server: Awaited<ReturnType<typeof startServing>>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-protocol-"));
  await writeColour(join(folder, "colour.safetensors"));
  await writeGrey(join(folder, "grey.safetensors"));
  server = await startServing({
    "my colour": join(folder, "colour.safetensors"),
    grey: join(folder, "grey.safetensors"),
  });
});
after(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const parameters = z.record(z.string(), z.unknown()).optional();
const metadataTensor = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });
const tensorData: z.ZodType = z.lazy(() => z.array(z.union([z.number(), z.string(), z.boolean(), tensorData])));
const tensor = { name: z.string(), shape: z.array(z.int()), datatype: z.string(), parameters, data: tensorData };

/** Messages by their names in kserve/open-inference-protocol, specification/protocol/open_inference_rest.yaml: members, types, and which are required. */
const published = {
  metadata_server_response: z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }),
  metadata_model_response: z.object({
    name: z.string(),
    versions: z.array(z.string()).optional(),
    platform: z.string(),
    inputs: z.array(metadataTensor).optional(),
    outputs: z.array(metadataTensor).optional(),
  }),
  inference_request: z.object({
    id: z.string().optional(),
    parameters,
    inputs: z.array(z.object(tensor)),
    outputs: z.array(z.object({ name: z.string(), parameters })).optional(),
  }),
  inference_response: z.object({
    model_name: z.string(),
    model_version: z.string().optional(),
    id: z.string().optional(),
    parameters,
    outputs: z.array(z.object(tensor)),
  }),
  inference_error_response: z.object({ error: z.string() }),
} as const;

/** Throws for a value that does not fit the published message of this name. */
function assertFits(name: keyof typeof published, value: unknown): void {
  const parsed = published[name].safeParse(value);
  assert.ok(parsed.success, `${name}: ${parsed.error?.message} in ${JSON.stringify(value)}`);
}

test("the check itself finds a missing member and a wrong type", () => {
  assert.throws(() => assertFits("metadata_server_response", { name: "x", version: "1" }), /extensions/);
  assert.throws(() => assertFits("metadata_server_response", { name: "x", version: 1, extensions: [] }), /version/);
});

test("metadata of the server and of models, with and without a version", async () => {
  for (const path of ["/v2", "/v2/"]) {
    const metadata = jsonOf<{ readonly extensions: readonly string[] }>(await ask(server.url, path));
    assertFits("metadata_server_response", metadata);
    assert.deepEqual(metadata.extensions, ["binary_tensor_data"]);
  }
  for (const path of ["/v2/models/my%20colour", "/v2/models/my%20colour/versions/1"]) {
    const metadata = jsonOf(await ask(server.url, path));
    assertFits("metadata_model_response", metadata);
    assert.deepEqual(metadata, {
      ...{ name: "my colour", versions: ["1"], platform: "alexnet" },
      inputs: [{ name: "pixels", datatype: "UINT8", shape: [-1, SIDE, SIDE, 3] }],
      outputs: [{ name: "probabilities", datatype: "FP64", shape: [-1, 7] }],
    });
  }
  for (const path of ["health/live", "health/ready", "models/grey/ready", "models/grey/versions/1/ready"]) {
    assert.equal((await ask(server.url, `/v2/${path}`)).status, 200, path);
  }
});

test("inference and its errors", async () => {
  const pixels = noise(1, SIDE, SIDE, 3).data.slice();
  const shape = [1, SIDE, SIDE, 3];
  const request = { id: "42", inputs: [{ name: "pixels", datatype: "UINT8", shape, data: [...pixels] }] };
  assertFits("inference_request", request);
  const answered = jsonOf<{ readonly id: string; readonly model_name: string }>(
    await ask(server.url, "/v2/models/my%20colour/infer", { body: JSON.stringify(request) }),
  );
  assertFits("inference_response", answered);
  assert.deepEqual([answered.id, answered.model_name], ["42", "my colour"]);
  const binary = binaryInfer(pixels, { shape });
  const same = jsonOf<{ readonly outputs: unknown }>(await ask(server.url, "/v2/models/my%20colour/infer", binary));
  assert.deepEqual(same.outputs, (answered as unknown as { readonly outputs: unknown }).outputs);
  const refused = await ask(server.url, "/v2/models/my%20colour/infer", { body: "{}" });
  assert.equal(refused.status, 400);
  assertFits("inference_error_response", JSON.parse(refused.body.toString()));
});

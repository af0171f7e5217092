import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RequestError } from "./requestError.ts";
import { createWebAnswers } from "./webAnswers.ts";

test("weights are answered if they are shared, and are a weights file of this program", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-weights-"));
  context.after(() => rm(folder, { recursive: true }));
  const paths = { own: "own.safetensors", foreign: "foreign.onnx", missing: "missing.safetensors" };
  for (const name of ["own", "foreign"] as const) await writeFile(join(folder, paths[name]), name);
  const sources = new Map(
    Object.entries(paths).map(([name, path]) => [name, { path: join(folder, path), maxBatch: 1, maxWait: 0 }] as const),
  );
  const shared = createWebAnswers({ sources, shareWeights: true });
  assert.equal(String((await shared.weights("own")).body), "own");
  const refusal = (status: number, message: RegExp) => (error: unknown) =>
    error instanceof RequestError && error.status === status && message.test(error.message);
  for (const name of ["foreign", "missing"]) {
    await assert.rejects(shared.weights(name), refusal(404, new RegExp(`^${name}: .*alexnet import`)));
  }
  await assert.rejects(
    createWebAnswers({ sources, shareWeights: false }).weights("own"),
    refusal(403, /--share-weights/),
  );
});

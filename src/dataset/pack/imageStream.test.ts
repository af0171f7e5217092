import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { noise, writePicture } from "../../../test/packPictures.ts";
import { DataError } from "../../errors.ts";
import { decodeImage } from "../../image/files/decode.ts";
import { createFit } from "../../image/prepare/fit.ts";
import { createFitter, type Fitting } from "../../image/prepare/fitter.ts";
import { type ImageStreamOptions, type StreamedImage, streamImages } from "./imageWorkers.ts";

const size = { width: 16, height: 16 };
const fitting: Fitting = { size: [16, 16], channels: 3, fit: createFit("resize", size), resize: "bilinear" };
const files = Array.from({ length: 11 }, (_, i) => (i === 4 ? "text.png" : i === 7 ? "gone.png" : `${i}.png`));
let folder: string;
let paths: readonly { readonly path: string }[];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-stream-"));
  // The first ones are large: they come last.
  for (const [i, file] of files.entries()) await writePicture(folder, file, noise(i, i < 3 ? 500 : 20, 30, 3));
  await writeFile(join(folder, "text.png"), "no image");
  await rm(join(folder, "gone.png"));
  paths = files.map((file) => ({ path: join(folder, file) }));
});
after(() => rm(folder, { recursive: true }));

async function collect(options: Partial<ImageStreamOptions>): Promise<(readonly StreamedImage[])[]> {
  const windows: (readonly StreamedImage[])[] = [];
  for await (const window of streamImages(paths, { fitting, atATime: 4, threads: 2, ...options })) windows.push(window);
  return windows;
}

test("files come in order, n at a time, fitted as one by one; unreadable ones with the reason", async () => {
  const windows = await collect({});
  assert.deepEqual(
    windows.map(({ length }) => length),
    [4, 4, 3],
  );
  assert.deepEqual(
    windows.flat().map(({ path }) => path),
    paths.map(({ path }) => path),
  );
  const fit = createFitter(fitting);
  for (const [i, streamed] of windows.flat().entries()) {
    if (i === 4 || i === 7) {
      assert.ok("error" in streamed);
      assert.match(
        streamed.error,
        i === 4 ? /expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF/ : /no such file|ENOENT/,
      );
    } else {
      assert.ok("image" in streamed);
      assert.deepEqual(Buffer.from(fit(streamed.image).data), Buffer.from(fit(await decodeImage(streamed.path)).data));
    }
  }
});

test("a consumer that stops early or aborts is not left waiting", async () => {
  for await (const window of streamImages(paths, { fitting, atATime: 2, threads: 1 })) {
    assert.equal(window.length, 2);
    break;
  }
  const stop = new AbortController();
  stop.abort();
  await assert.rejects(collect({ signal: stop.signal }), { name: "AbortError" });
});

test("a thread that dies is reported with its files", async () => {
  const module = new URL("../../../test/dyingImageWorker.ts", import.meta.url);
  paths = [...paths, { path: join(folder, "it-ends") }];
  await assert.rejects(collect({ module }), (error) => error instanceof DataError && /it-ends/.test(error.message));
});

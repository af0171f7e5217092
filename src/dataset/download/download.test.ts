import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fashionMnistFolder } from "../../../test/fashionMnistFolder.ts";
import { type LocalServer, serve } from "../../../test/localServer.ts";
import { DataError } from "../../errors.ts";
import { loadFashionMnist } from "../sources/fashionMnist.ts";
import { downloadFile } from "./download.ts";

/**
 * The official .gz files: Debian's are the same but for the name and the time that it strips from the gzip header. These
 * times were found by trying all until the published checksums came out.
 */
async function officialFile(name: string): Promise<Buffer> {
  const stripped = await readFile(join(fashionMnistFolder, `${name}.gz`));
  const header = Buffer.of(0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3);
  header.writeUInt32LE(name.startsWith("train") ? 1504176606 : 1504176627, 4);
  return Buffer.concat([header, Buffer.from(`${name}\0`), stripped.subarray(10)]);
}

type Answer = (name: string, response: ServerResponse) => Promise<void>;
const official: Answer = async (name, response) => {
  response.end(await officialFile(name));
};

let folder: string;
let server: LocalServer;
let baseUrl: string;
let answer = official;
let asked: string[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-download-"));
  server = await serve((request, response) => {
    asked.push(request.url ?? "");
    void answer((request.url ?? "").slice(1, -3), response);
  });
  baseUrl = server.url;
});
afterEach(() => {
  asked = [];
  answer = official;
});
after(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const nowhere = "/no/such/folder";

async function assertUnobtainable(cacheDir: string, reason: RegExp, url = baseUrl): Promise<void> {
  await assert.rejects(loadFashionMnist({ systemDir: nowhere, cacheDir, baseUrl: url }), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, reason);
    assert.match(
      error.message,
      /^fashion-mnist: not found in \/no\/such\/folder or .*\/fashion-mnist, and not downloaded/,
    );
    assert.match(error.message, /install the Debian package dataset-fashion-mnist, or .* --data-dir$/);
    return true;
  });
  const left = await readdir(join(cacheDir, "fashion-mnist")).catch(() => []);
  assert.ok(
    left.every((name) => name.endsWith("-ubyte.gz") || name.endsWith(".part")),
    `left over: ${left}`,
  );
}

describe("loadFashionMnist from a server", () => {
  test("downloads what is missing, checks the published checksums, reports progress", async () => {
    const cacheDir = join(folder, "good");
    const progress: (readonly [number, number])[] = [];
    const options = { systemDir: nowhere, cacheDir, baseUrl };
    const onProgress = (bytes: number, total: number) => progress.push([bytes, total]);
    const { train, test, source } = await loadFashionMnist({ ...options, onProgress });
    assert.deepEqual([train.length, test.length, source], [60000, 10000, join(cacheDir, "fashion-mnist")]);
    assert.equal((await readdir(source)).length, 4);
    assert.equal(asked.length, 4);
    assert.deepEqual(progress.at(-1), [30878645, 30878645]);
    assert.ok(progress.every(([bytes], i) => i === 0 || bytes > (progress[i - 1]?.[0] as number)));

    await rm(join(source, "t10k-labels-idx1-ubyte.gz"));
    await loadFashionMnist(options);
    assert.deepEqual(asked.slice(4), ["/t10k-labels-idx1-ubyte.gz"]);
  });

  test("a wrong checksum", async () => {
    answer = async (name, response) => {
      const bytes = await officialFile(name);
      bytes[2000] = (bytes[2000] as number) ^ 1;
      response.end(bytes);
    };
    await assertUnobtainable(
      join(folder, "flipped"),
      /gz: expected the MD5 checksum 8d4fb7e6c68d591d4c3dfef9ec88bf0d, got /,
    );
  });

  test("a connection cut in the middle of the second file", async () => {
    answer = async (name, response) => {
      const bytes = await officialFile(name);
      response.setHeader("Content-Length", bytes.length);
      if (name === "train-images-idx3-ubyte") response.end(bytes);
      else response.write(bytes.subarray(0, 9000), () => response.destroy());
    };
    const cacheDir = join(folder, "cut");
    await assertUnobtainable(
      cacheDir,
      /train-labels-idx1-ubyte.gz: other side closed|train-labels-idx1-ubyte.gz: .*ECONNRESET/,
    );
    const left = await readdir(join(cacheDir, "fashion-mnist"));
    // Received bytes of the second file may be kept.
    assert.deepEqual(
      left.filter((name) => !/^train-labels-idx1-ubyte\.gz\..+\.part$/.test(name)),
      ["train-images-idx3-ubyte.gz"],
    );
  });

  test("404, and no server at all", async () => {
    answer = async (_name, response) => {
      response.writeHead(404).end("gone");
    };
    await assertUnobtainable(
      join(folder, "gone"),
      /\/train-images-idx3-ubyte.gz: expected status 200, got 404 Not Found/,
    );
    const { url, close } = await serve(() => {});
    close();
    await assertUnobtainable(join(folder, "off"), /connect ECONNREFUSED/, url);
  });

  test("download switched off", async () => {
    await assert.rejects(
      loadFashionMnist({ systemDir: nowhere, cacheDir: join(folder, "none"), baseUrl, download: false }),
      /not downloaded \(downloading is switched off\); install the Debian package/,
    );
    assert.deepEqual(asked, []);
  });
});

test("downloadFile fails if a server stalls, before or within the file", async () => {
  const md5 = createHash("md5").update("never").digest("hex");
  const path = join(folder, "silent", "file");
  const cases: readonly (readonly [Answer, kept: string, left: readonly string[]])[] = [
    [async () => {}, "", []],
    [
      async (_name, response) => void response.write("nev"),
      " (3 bytes are kept; run again to resume)",
      [`file.${md5}.${process.pid}.part`],
    ],
  ];
  for (const [behaviour, kept, left] of cases) {
    answer = behaviour;
    await assert.rejects(
      downloadFile({ url: `${baseUrl}/file.gz`, path, md5, timeoutSeconds: 0.3, onBytes: () => {} }),
      new DataError(`${baseUrl}/file.gz: no data for 0.3 s${kept}`),
    );
    assert.deepEqual(await readdir(join(folder, "silent")), left);
  }
});

test("downloadFile waits for a slow server", async () => {
  const path = join(folder, "slow", "file");
  const pieces = ["one", "two", "three", "four", "five", "six"];
  answer = async (_name, response) => {
    for (const piece of pieces) {
      response.write(piece);
      await setTimeout(200);
    }
    response.end();
  };
  const md5 = createHash("md5").update(pieces.join("")).digest("hex");
  // Longer than any pause, shorter than the download.
  await downloadFile({ url: `${baseUrl}/file.gz`, path, md5, timeoutSeconds: 0.9, onBytes: () => {} });
  assert.equal(await readFile(path, "utf8"), pieces.join(""));
});

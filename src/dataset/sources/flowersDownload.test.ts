import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, rm } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { importTypeScript } from "../../../test/command.ts";
import { flowerArchive, flowerFiles } from "../../../test/flowerFiles.ts";
import { type LocalServer, serve } from "../../../test/localServer.ts";
import { writeFiles } from "../../../test/writeFiles.ts";
import { DataError } from "../../errors.ts";
import { listFlowers } from "./flowers.ts";

const archiveName = "flower_photos.tgz";
const bytes = flowerArchive(flowerFiles());
/** Corrupt by gzip's checksum, but not by the MD5 checksum. */
const damaged = Buffer.from(bytes);
damaged[bytes.length - 6] = (damaged[bytes.length - 6] as number) ^ 1;
const md5Of = (content: Uint8Array) => createHash("md5").update(content).digest("hex");

let folder: string;
let site: string;
let asked: (string | undefined)[] = [];
let cut: () => void = () => {};
const answer: RequestListener = (request, response) => {
  asked.push(request.headers.range);
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (request.url === "/damaged") response.end(damaged);
  else if (request.url !== `/${archiveName}` && request.url !== "/cut") response.writeHead(404).end();
  else if (start > 0) {
    response.writeHead(206, { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
    response.end(bytes.subarray(start));
  } else if (request.url === "/cut") {
    response.setHeader("Content-Length", bytes.length);
    response.write(bytes.subarray(0, 9000));
    cut = () => response.destroy();
  } else response.end(bytes);
};
let server: LocalServer;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-flowers-download-"));
  server = await serve(answer);
  site = server.url;
});
after(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

function options(cache: string, changed: { url?: string; md5?: string } = {}) {
  const archive = { url: `${site}/${archiveName}`, md5: md5Of(bytes), bytes: bytes.length, ...changed };
  const progress: number[] = [];
  const onProgress = (received: number) => {
    progress.push(received);
    if (received === 9000) cut();
  };
  return { cacheDir: join(folder, cache), archive, onProgress, progress };
}

async function assertUnobtainable(changed: { url?: string; md5?: string }, reason: RegExp, left: RegExp) {
  const failing = options("failing", changed);
  await assert.rejects(listFlowers(failing), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /^flowers: not found in .*failing\/flowers, and not downloaded \(/);
    assert.match(error.message, reason);
    assert.match(error.message, /put flower_photos\.tgz from https:\S+ there, or pass .* --data-dir$/);
    return true;
  });
  assert.match((await readdir(join(failing.cacheDir, "flowers"))).join(), left);
}

test("404, a wrong checksum and a disconnection; then only the rest is requested", async () => {
  await assertUnobtainable({ url: `${site}/gone` }, /gone: expected status 200, got 404 Not Found/, /^$/);
  await assertUnobtainable({ md5: "0".repeat(32) }, /expected the MD5 checksum 0{32}, got /, /^$/);
  await assertUnobtainable(
    { url: `${site}/cut` },
    /cut: .* \(9000 bytes are kept; /,
    /^flower_photos\.tgz[^,]*\.part$/,
  );
  asked = [];
  const { progress, ...resumed } = options("failing");
  const { root, train, test: part } = await listFlowers(resumed);
  assert.deepEqual(asked, ["bytes=9000-"]);
  assert.equal(progress.at(-1), bytes.length);
  assert.equal(train.length + part.length, flowerFiles().size);
  assert.deepEqual((await readdir(join(root, ".."))).sort(), ["flower_photos", archiveName]);
});

test("downloads and unpacks once", async () => {
  const once = options("good");
  const listing = await listFlowers(once);
  assert.equal(listing.root, join(folder, "good", "flowers", "flower_photos"));
  asked = [];
  assert.deepEqual(await listFlowers(once), listing);
  await rm(listing.root, { recursive: true });
  assert.deepEqual(await listFlowers(once), listing);
  assert.deepEqual(asked, []);
});

test("a corrupt archive is named, and leaves no images", async () => {
  const bad = options("damaged", { url: `${site}/damaged`, md5: md5Of(damaged) });
  const place = join(folder, "damaged", "flowers");
  await assert.rejects(
    listFlowers(bad),
    new DataError(
      `${join(place, archiveName)}: expected an intact gzip file, got a corrupt one (incorrect data check)`,
    ),
  );
  assert.deepEqual(await readdir(place), [archiveName]);
});

test("downloading switched off", async () => {
  await assert.rejects(
    listFlowers({ cacheDir: join(folder, "off"), download: false }),
    /^DataError: flowers: not found in .*off\/flowers, and not downloaded \(downloading is switched off\); put flower_/,
  );
  assert.ok(!(await readdir(folder)).includes("off"));
});

test("killed while it unpacks: nothing incomplete is left, and the next process completes it", async () => {
  const cacheDir = join(folder, "killed");
  const place = join(cacheDir, "flowers");
  const path = join(place, archiveName);
  await mkdir(place, { recursive: true });
  // A pipe: the process gets half of the archive and waits for the rest.
  execFileSync("mkfifo", [path]);
  const script = `import { listFlowers } from ${JSON.stringify(new URL("flowers.ts", import.meta.url).href)};
    await listFlowers({ cacheDir: ${JSON.stringify(cacheDir)}, download: false });`;
  const child = spawn(process.execPath, [...importTypeScript, "--input-type=module", "-e", script], {
    stdio: "inherit",
  });
  const ended = once(child, "exit");
  const pipe = await open(path, "r+");
  try {
    await pipe.write(bytes.subarray(0, bytes.length >> 1));
    const images = async () => (await readdir(place, { recursive: true })).filter((name) => name.endsWith(".jpg"));
    while ((await images()).length === 0 && child.exitCode === null) await setTimeout(10);
    child.kill("SIGKILL");
    assert.deepEqual(await ended, [null, "SIGKILL"]);
  } finally {
    await pipe.close();
  }
  const [left, ...others] = (await readdir(place)).filter((name) => name.startsWith("flower_photos."));
  assert.equal(left, `flower_photos.${child.pid}.part-${left?.slice(-6)}`);
  assert.deepEqual(others, [archiveName]);
  await rm(path);
  await writeFiles(place, [[archiveName, bytes]]);
  const { train, test: part } = await listFlowers({ cacheDir, download: false });
  assert.equal(train.length + part.length, flowerFiles().size);
  assert.deepEqual((await readdir(place)).sort(), ["flower_photos", archiveName]);
});

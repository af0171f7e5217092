/** Packing in processes: killed, starved, two at once, and from the built package. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { builtCommand, programArguments, run, type StartOptions, start } from "./command.ts";
import { bands, writePicture } from "./packPictures.ts";
import { root as checkout } from "./sourceFiles.ts";

/** Of 3 MB each: after 22 of them, pixels are synced. */
const COUNT = 60;
const [WIDTH, HEIGHT] = [1250, 800];
let folder: string;
let pictures: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-packing-"));
  pictures = join(folder, "pictures");
  for (let i = 0; i < COUNT; i++) await writePicture(pictures, `${i}.png`, bands(i, WIDTH, HEIGHT));
});
after(() => rm(folder, { recursive: true }));

function startPacking(cache: string, options: Partial<StartOptions> = {}, count = COUNT) {
  const args = [...programArguments("test/packProcess.ts"), pictures, join(folder, cache), String(count)];
  return start(args, { cwd: checkout, ...options });
}

/** Waits until it has said that so many files are done. */
async function untilDone({ process: child }: ReturnType<typeof startPacking>, done: number): Promise<void> {
  for await (const [text] of on(child)) if (progressOf(text).some((each) => each >= done)) return;
}

async function* on(child: ReturnType<typeof startPacking>["process"]): AsyncGenerator<readonly [string]> {
  while (child.exitCode === null && child.stdout) yield (await once(child.stdout, "data")) as [string];
}

function progressOf(text: string): readonly number[] {
  return Array.from(text.matchAll(/^progress (\d+)$/gm), ([, done]) => Number(done));
}

function digestIn(stdout: string): string {
  return /^digest (\w+)$/m.exec(stdout)?.[1] ?? assert.fail(stdout);
}

async function pixelBytes(cache: string): Promise<number> {
  const pixels = (await readdir(await packFolder(cache))).filter((name) => name.endsWith(".bin"));
  let bytes = 0;
  for (const name of pixels) bytes += (await stat(join(await packFolder(cache), name))).size;
  return bytes;
}

async function packFolder(cache: string): Promise<string> {
  const packs = join(folder, cache, "packs");
  const [name = ""] = await readdir(packs);
  return join(packs, name);
}

let digest: string;

test("two processes at once: one packs, the other says that it waits, and uses it", async () => {
  const first = startPacking("both");
  await untilDone(first, 1);
  first.process.kill("SIGSTOP");
  const second = startPacking("both");
  await once(second.process.stdout as NodeJS.ReadableStream, "data");
  first.process.kill("SIGCONT");
  const [a, b] = await Promise.all([first.outcome, second.outcome]);
  digest = digestIn(a.stdout);
  assert.equal(digestIn(b.stdout), digest);
  assert.match(
    b.stdout,
    new RegExp(`^message ${pictures}: process ${first.process.pid} is packing these images; waiting for it$`, "m"),
  );
  assert.equal(progressOf(b.stdout)[0], COUNT);
  assert.equal(await pixelBytes("both"), COUNT * WIDTH * HEIGHT * 3);
});

test("two processes that do not see each other: both have the right pixels, and so has who comes after", async () => {
  const first = startPacking("blind");
  await untilDone(first, 1);
  first.process.kill("SIGSTOP");
  // As where processes have other numbers, in another container.
  const pack = await packFolder("blind");
  for (const name of await readdir(pack)) if (name.startsWith("lock-")) await rm(join(pack, name));
  const second = startPacking("blind");
  await untilDone(second, 5);
  first.process.kill("SIGCONT");
  const [a, b] = await Promise.all([first.outcome, second.outcome]);
  assert.ok((progressOf(b.stdout)[0] as number) < COUNT, "both were packing");
  const third = await startPacking("blind").outcome;
  assert.deepEqual(progressOf(third.stdout), [COUNT]);
  for (const { stdout } of [a, b, third]) {
    assert.equal(digestIn(stdout), digest);
    assert.doesNotMatch(stdout, /^message/m);
  }
});

test("killed at several moments, it goes on and ends with the same pixels", async () => {
  let before = 0;
  for (const moment of [2, 30, 50]) {
    const packing = startPacking("killed");
    await untilDone(packing, moment);
    packing.process.kill("SIGKILL");
    const { exit, stdout } = await packing.outcome;
    assert.equal(exit, "SIGKILL");
    const found = progressOf(stdout)[0] as number;
    assert.ok(found >= before, `${found} after ${before}`);
    before = found;
  }
  const { stdout } = await startPacking("killed").outcome;
  assert.ok((progressOf(stdout)[0] as number) > 0, "it went on");
  assert.equal(digestIn(stdout), digest);
  // What had no lines yet when a process was killed is packed again: no more than it keeps waiting, and what comes while that is written.
  const all = COUNT * WIDTH * HEIGHT * 3;
  assert.ok((await pixelBytes("killed")) <= all + 3 * 2 * 70e6);
});

test("no space left is an error that names the folder; with space it goes on", async () => {
  const { stdout } = await startPacking("full", { fileLimit: 100e6 }).outcome;
  assert.match(
    stdout,
    /^DataError: .*full\/packs\/\w+: the pack cannot be written: EFBIG: .*; free some space; packed images are kept$/m,
  );
  const again = await startPacking("full").outcome;
  assert.ok((progressOf(again.stdout)[0] as number) > 0, "it went on");
  assert.equal(digestIn(again.stdout), digest);
});

test("threads start from the built package, and under the launcher of the checkout", async () => {
  const built = await builtCommand();
  const program = (pack: string) => `
    const { packListing } = await import(${JSON.stringify(pack)});
    const listing = { name: "", root: ${JSON.stringify(pictures)}, classNames: ["a"], train: [{ path: "0.png", label: 0 }], test: [], notes: [] };
    const fitting = { size: [8, 8], channels: 3, fit: { kind: "resize" }, resize: "bilinear" };
    const packed = await packListing(listing, { fitting, cacheDir: ${JSON.stringify(join(folder, "started"))} });
    console.log(packed.train.image(0).data.length);
    await packed.close();`;
  const inCheckout = `
    const { register } = await import("tsx/esm/api");
    register({ tsconfig: ${JSON.stringify(join(checkout, "tsconfig.json"))} });`;
  await symlink(join(checkout, "node_modules"), join(folder, "node_modules"));
  await writeFile(join(folder, "built.mjs"), program(join(built, "../../dist/dataset/pack/pack.js")));
  await writeFile(join(folder, "source.mjs"), inCheckout + program(join(checkout, "src/dataset/pack/pack.ts")));
  for (const name of ["built.mjs", "source.mjs"]) {
    const { stdout, stderr } = await run([join(folder, name)], { cwd: folder });
    assert.equal(stdout, `${8 * 8 * 3}\n`, stderr);
    await rm(join(folder, "started"), { recursive: true });
  }
});

/** `alexnet check` from outside: what it prints, as text and as JSON, how it ends, and that it writes nothing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findingKinds } from "../src/dataset/folder/findings.ts";
import { builtCommand, type Outcome, run } from "./command.ts";
import { picture } from "./pictureFolders.ts";
import { root as project } from "./sourceFiles.ts";
import { writeFiles } from "./writeFiles.ts";

let folder: string;
let bin: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-check-"));
  const raccoon = await readFile(join(project, "test/golden/raccoon.jpg"));
  const [p1, p2, p3] = await Promise.all([1, 2, 3].map((number) => picture(number, [24, 20])));
  const sound = { "cat/1.jpg": raccoon, "cat/2.png": p1 ?? "", "dog/1.png": p2 ?? "", "dog/2.txt": "notes" };
  await writeFiles(join(folder, "sound"), Object.entries(sound));
  const bad = { "dog/cut.jpg": raccoon.subarray(0, 9000), "dog/copy.jpg": raccoon, "cat/3.jpg": p3 ?? "" };
  await writeFiles(join(folder, "bad"), Object.entries({ ...sound, ...bad, "bird/": "" }));
  execFileSync("mkfifo", [join(folder, "bad/cat/pipe.jpg")]);
  await writeFiles(join(folder, "untrained"), [["val/cat/1.jpg", raccoon]]);
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function alexnet(...args: readonly string[]): Promise<Outcome> {
  return run([bin, ...args], { cwd: folder });
}

/** Every entry below a folder, with all that would tell of a change. */
async function snapshot(name: string): Promise<readonly string[]> {
  const names = ["", ...(await readdir(join(folder, name), { recursive: true }))].sort();
  return Promise.all(
    names.map(async (path) => {
      const { size, mtimeMs, ctimeMs, mode } = await stat(join(folder, name, path));
      return [path, size, mtimeMs, ctimeMs, mode].join(" ");
    }),
  );
}

test("a sound folder: exit 0", async () => {
  const before = await snapshot("sound");
  const { exit, stdout, stderr } = await alexnet("check", "sound");
  assert.equal(exit, 0, stderr);
  assert.equal(stderr, "");
  assert.match(stdout, /sound: 3 images in 2 classes, /);
  assert.match(stdout, /^cat +2 {2}#{20}\ndog +1 {2}#{10}$/m);
  assert.match(stdout, /^- files that are not images, ignored: 1\n {4}dog\/2\.txt: /m);
  assert.match(stdout, /\nNothing found that affects training\.\n$/);
  assert.deepEqual(await snapshot("sound"), before);
});

test("a folder with faults: exit 1, each named in lines of at most 80 columns, nothing written", async () => {
  const before = await snapshot("bad");
  const { exit, stdout, stderr } = await alexnet("check", "bad");
  assert.equal(exit, 1, stderr);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
  for (const says of [
    /^! classes without images: 1\n {4}bird: /m,
    /^! corrupt or truncated images: 1\n {4}dog\/cut\.jpg: expected a complete JPEG image/m,
    /^! the same image in several classes: 1\n {4}cat\/1\.jpg, dog\/copy\.jpg: in cat, dog$/m,
    /^- file extensions of another format: 1\n {4}cat\/3\.jpg: a PNG image with the extension \.jpg$/m,
    /^- pipes, sockets and devices, never opened: 1\n {4}cat\/pipe\.jpg: a pipe$/m,
    /\n3 findings that affect training, marked with "!"\.\n$/,
  ]) {
    assert.match(stdout, says);
  }
  assert.deepEqual(await snapshot("bad"), before);
});

test("--json: everything as data, with the same exit codes", async () => {
  const { exit, stdout, stderr } = await alexnet("check", "bad", "--json");
  assert.equal(exit, 1, stderr);
  const { findings, ...rest } = JSON.parse(stdout);
  assert.deepEqual(rest.parts[0].classes, [
    { name: "bird", pictures: 0 },
    { name: "cat", pictures: 3 },
    { name: "dog", pictures: 3 },
  ]);
  assert.deepEqual(
    [rest.root, rest.pictures, rest.formats, rest.channels, rest.sizes.shapes, rest.affectsTraining],
    [join(folder, "bad"), 6, { JPEG: 2, PNG: 3 }, { grey: 3, colour: 2 }, 2, true],
  );
  const [first] = findings;
  assert.deepEqual(first, {
    kind: "emptyClass",
    affectsTraining: true,
    paths: ["bird"],
    message: "no image",
    remedy: findingKinds.emptyClass.remedy,
  });
  assert.deepEqual(
    findings.map(({ kind }: { readonly kind: string }) => kind),
    ["emptyClass", "special", "notPicture", "damaged", "wrongExtension", "duplicateAcrossClasses"],
  );
  const sound = await alexnet("check", "sound", "--json");
  assert.deepEqual([sound.exit, JSON.parse(sound.stdout).affectsTraining], [0, false]);
});

test("what cannot be checked: one message, nothing on standard output", async () => {
  for (const [name, says] of [
    ["nowhere", /^alexnet: nowhere: expected a folder of images .*; there is no such folder\n$/],
    ["sound/cat/1.jpg", /^alexnet: sound\/cat\/1\.jpg: expected .*; it is not a folder\n$/],
    ["untrained", /^alexnet: untrained: expected a folder train next to val, got none; /],
  ] as const) {
    const { exit, stdout, stderr } = await alexnet("check", name);
    assert.deepEqual([exit, stdout], [1, ""], stderr);
    assert.match(stderr, says);
  }
  const { exit, stderr } = await alexnet("check");
  assert.deepEqual([exit, /missing required argument 'dir'/.test(stderr)], [2, true], stderr);
});

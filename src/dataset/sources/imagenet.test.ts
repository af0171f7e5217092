import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { synsetWords, wnids } from "../../../test/imagenetNames.ts";
import { writeFiles } from "../../../test/writeFiles.ts";
import { DataError } from "../../errors.ts";
import { listImagenet, locateImagenet } from "./imagenet.ts";

const names = ["tench", "crane (n02012849)", "crane (n03126707)", "maillot (n03710637)", "maillot (n03710721)"];
const trainPaths = wnids.flatMap((wnid) => [1, 10, 2].map((i) => `train/${wnid}/${wnid}_${i}.JPEG`));
const valPaths = wnids.flatMap((wnid, label) =>
  [0, 1].map((i) => `val/${wnid}/ILSVRC2012_val_0000000${2 * label + i}.JPEG`),
);

let base: string;
let dataDir: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), "alexnet-imagenet-"));
});
beforeEach(async () => {
  dataDir = await mkdtemp(join(base, "test-"));
});
after(() => rm(base, { recursive: true }));

/** Empty files in `dataDir`: listing opens no image. */
const touch = (paths: readonly string[]) =>
  writeFiles(
    dataDir,
    paths.map((path) => [path, ""]),
  );
const write = (name: string, text: string) => writeFiles(dataDir, [[name, text]]);
const labelled = (paths: readonly string[]) =>
  paths.map((path) => ({ path, label: wnids.findIndex((wnid) => path.includes(`/${wnid}/`)) }));

test("folders of both parts, without names: the WNIDs", async () => {
  await touch([...trainPaths, ...valPaths]);
  assert.deepEqual(await listImagenet({ dataDir }), {
    name: "imagenet",
    root: dataDir,
    classNames: wnids,
    train: labelled(trainPaths),
    test: labelled(valPaths),
    notes: [],
  });
  assert.equal(await locateImagenet({ dataDir }), dataDir);
});

test("names from each file, distinguished by WNID", async () => {
  await touch([...trainPaths, ...valPaths]);
  const index = Object.fromEntries(synsetWords.map((line, i) => [i, [line.slice(0, 9), line.slice(10).split(",")[0]]]));
  const forms = {
    "LOC_synset_mapping.txt": `${synsetWords.join("\r\n")}\r\nn00000001 more than is needed\r\n`,
    "synset_words.txt": synsetWords.join("\n"),
    "data/synset_words.txt": synsetWords.join("\n"),
    "imagenet_class_index.json": JSON.stringify({ ...index, 5: ["n02113186", "Cardigan_corgi"] }),
  };
  for (const [name, text] of Object.entries(forms)) {
    await write(name, text);
    assert.deepEqual((await listImagenet({ dataDir })).classNames, names);
    await rm(join(dataDir, name));
  }
});

test("part of the classes, through links, with foreign entries", async () => {
  await touch([...trainPaths.slice(0, 6), ...valPaths.slice(0, 2), "train/n0144/1.JPEG", "train/list.txt"]);
  await touch(["train/n01440764/a.xml", "val/list.txt", "val/ILSVRC2012_val_00000099.JPEG", "val/tench/1.JPEG"]);
  await rename(join(dataDir, "val/n01440764"), join(dataDir, "tenches"));
  await symlink("../tenches", join(dataDir, "val/n01440764"));
  const { classNames, train, test: part, notes } = await listImagenet({ dataDir });
  assert.deepEqual([classNames, train.length, part.length], [wnids.slice(0, 2), 6, 2]);
  assert.deepEqual(notes, [
    "train: folders not named by WNID, ignored: n0144",
    "train: files outside the class folders or not JPEG, ignored: 2",
    "val: folders not named by WNID, ignored: tench",
    "val: files outside the class folders or not JPEG, ignored: 2",
    "val: no folder for n02012849",
  ]);
});

test("Kaggle's folders", async () => {
  await writeFiles(
    join(dataDir, "ILSVRC/Data/CLS-LOC"),
    [...trainPaths, ...valPaths].map((path) => [path, ""]),
  );
  await write("LOC_synset_mapping.txt", synsetWords.join("\n"));
  const { root, classNames, train, test: part } = await listImagenet({ dataDir });
  assert.deepEqual([root, classNames], [join(dataDir, "ILSVRC/Data/CLS-LOC"), names]);
  assert.deepEqual([train, part], [labelled(trainPaths), labelled(valPaths)]);
});

test("missing or mismatched files", async () => {
  const assertRefused = (message: string | RegExp) =>
    assert.rejects(listImagenet({ dataDir }), (error: unknown) => {
      assert.ok(error instanceof DataError, String(error));
      if (typeof message === "string") assert.equal(error.message, `${dataDir}${message}`);
      else assert.match(error.message, message);
      return true;
    });
  await assert.rejects(listImagenet({}), /^DataError: imagenet: .* never downloaded; get ILSVRC 2012 .* --data-dir$/);
  assert.equal(await locateImagenet({}), undefined);
  assert.equal(await locateImagenet({ dataDir }), undefined);
  await assertRefused(": expected the folders train and val, or ILSVRC/Data/CLS-LOC; found neither");
  await mkdir(join(dataDir, "train"));
  await assertRefused("/train: expected folders named by WNID, such as n01440764, found none");
  await touch(trainPaths);
  await assertRefused(/val: cannot be read \(no such file/);
  await mkdir(join(dataDir, "val"));
  await assertRefused("/val: expected folders named by WNID, or JPEG files; found neither");
  await touch([...valPaths, "val/n09999999/1.JPEG"]);
  await assertRefused("/val/n09999999: expected one of the 5 classes of train, got another");
  await rm(join(dataDir, "val/n09999999"), { recursive: true });
  await write("synset_words.txt", synsetWords.slice(1).join("\n"));
  await assertRefused("/synset_words.txt: expected the class n01440764, as in train; found none");
  await write("synset_words.txt", "n01440764 tench\nn02012849");
  await assertRefused(/synset_words\.txt: line 2: expected a WNID and names, .*, got "n02012849"$/);
  await rm(join(dataDir, "synset_words.txt"));
  await write("imagenet_class_index.json", '{"0": ["tench"]}');
  await assertRefused(
    /imagenet_class_index\.json: expected a JSON object such as .*0: expected array of at least 2 items/,
  );
  await write("imagenet_class_index.json", "{");
  await assertRefused(/imagenet_class_index\.json: expected a JSON object such as /);
  await rm(join(dataDir, "imagenet_class_index.json"));
  await rm(join(dataDir, "val/n01440764"), { recursive: true });
  await mkdir(join(dataDir, "val/n01440764"));
  await assertRefused("/val/n01440764: expected JPEG files, found none");
});

/** Every kind of finding, in folders created for it. Longer than other files: all tests use one sound folder and one comparison. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import sharp from "sharp";
import { gifFile } from "../../../test/otherImageFiles.ts";
import { type Files, picture, withFolder } from "../../../test/pictureFolders.ts";
import { root as project } from "../../../test/sourceFiles.ts";
import { createImageJobs } from "../pack/imageJob.ts";
import { type Examine, type ExaminedFile, examinationOf } from "./examine.ts";
import type { FindingName } from "./findings.ts";
import { checkFolder, type FolderCheck } from "./folderCheck.ts";
import { scanFolder } from "./folderScan.ts";
import { listImageFolder } from "./imageFolder.ts";

const raccoon = await readFile(join(project, "test/golden/raccoon.jpg"));
const [p1, p2, p3, p4, p5, p6] = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => picture(number)));
/** Two classes without problems. */
const sound = { "a/1.png": p1, "a/2.png": p2, "b/3.png": p3, "b/4.png": p4 } as Files;

/** In this process: threads take a second to start. */
async function* examine(paths: readonly string[]): AsyncGenerator<ExaminedFile> {
  const examineFile = createImageJobs();
  for (const path of paths) yield { path, result: examinationOf(await examineFile({ path })) };
}

async function check(files: Files, change?: (root: string) => Promise<void> | void): Promise<FolderCheck> {
  return withFolder(files, async (root) => {
    const scan = await scanFolder(root);
    await change?.(root);
    return checkFolder(scan, { examine });
  });
}

function found({ findings }: FolderCheck): readonly (readonly [FindingName, ...(readonly string[])])[] {
  return findings.map(({ kind, paths }) => [kind, ...paths] as const);
}

/** One kind of finding and no other, which decides whether training is affected. */
async function assertFinds(
  files: Files,
  affectsTraining: boolean,
  ...expected: readonly (readonly [FindingName, ...(readonly string[])])[]
): Promise<FolderCheck> {
  const result = await check(files);
  assert.deepEqual(found(result), expected);
  assert.equal(result.affectsTraining, affectsTraining);
  return result;
}

/** A PNG file whose header, with its checksum, claims another size. */
async function claiming(width: number, height: number): Promise<Uint8Array> {
  const { crc32 } = await import("../../image/files/crc32.ts");
  const bytes = Buffer.from(p1 as Uint8Array);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return bytes;
}

describe("checkFolder: images", () => {
  test("nothing is wrong: counts, formats, colours, sizes", async () => {
    const files = { ...sound, "b/r.jpg": raccoon, "b/wide.png": await picture(9, [400, 16]) };
    const result = await assertFinds(files, false);
    const { root: _, findings: __, ...rest } = result;
    assert.deepEqual(rest, {
      parts: [
        {
          name: "whole",
          folder: "",
          classes: [
            { name: "a", pictures: 2 },
            { name: "b", pictures: 4 },
          ],
        },
      ],
      pictures: 6,
      bytes: Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0),
      formats: { PNG: 5, JPEG: 1 },
      channels: { grey: 5, colour: 1 },
      sizes: { smallest: [16, 16], median: [16, 16], largest: [320, 240], shapes: 3 },
      affectsTraining: false,
    });
  });

  test("each way of not being an image", async () => {
    const cases: readonly (readonly [name: string, bytes: Uint8Array | string, kind: FindingName])[] = [
      ["x.jpg", "", "emptyFile"],
      ["x.jpg", raccoon.subarray(0, 9000), "damaged"],
      ["x.jpg", raccoon.subarray(0, 20), "damaged"],
      ["x.png", Buffer.from(p5 as Uint8Array).fill(0, 40, 50), "damaged"],
      ["x.png", await claiming(0, 16), "damaged"],
      ["x.png", await claiming(100_000, 100_000), "tooLarge"],
      ["x.png", await claiming(17, 16), "damaged"],
      ["x.bmp", "BM with something", "refusedFormat"],
      ["x.jpg", "<svg xmlns='http://www.w3.org/2000/svg'/>", "refusedFormat"],
      ["x.jpg", "text", "refusedFormat"],
    ];
    for (const [name, bytes, kind] of cases) {
      const { findings } = await assertFinds({ ...sound, [`a/${name}`]: bytes }, true, [kind, `a/${name}`]);
      assert.match(findings[0]?.message ?? "", /^expected .*[^.]$/);
      assert.match(findings[0]?.remedy ?? "", /^[A-Z].*\.$/);
    }
  });

  test("a file deleted before it is read", async () => {
    const result = await check(sound, (root) => rm(join(root, "a/2.png")));
    assert.deepEqual(found(result), [["unreadable", "a/2.png"]]);
    assert.ok(result.affectsTraining);
    assert.deepEqual(result.formats, { PNG: 3 });
  });

  test("extensions of another format, and tiny images, are harmless", async () => {
    const files = { "a/1.jpg": raccoon, "b/1.gif": p1, "b/2": p2, "b/3.JFIF": p3, "b/4.tif": p4 } as Files;
    const expected = ["b/1.gif", "b/2", "b/3.JFIF", "b/4.tif"].map((path) => ["wrongExtension", path] as const);
    const { findings } = await assertFinds(files, false, ...expected);
    assert.deepEqual(
      findings.slice(0, 2).map(({ message }) => message),
      ["a PNG image with the extension .gif", "a PNG image with no extension"],
    );
    const tiny = { "a/low.png": await picture(7, [100, 15]), "a/least.png": await picture(8, [16, 16]) };
    await assertFinds({ ...sound, ...tiny }, false, ["tiny", "a/low.png"]);
    const gif = gifFile([2, 2], { left: 0, top: 0, width: 2, height: 2, pixels: [0, 1, 2, 3] });
    await assertFinds({ ...sound, "a/1.gif": gif }, false, ["tiny", "a/1.gif"]);
  });
});

describe("checkFolder: the same content", () => {
  test("is harmless within a class, but not across classes or parts", async () => {
    await assertFinds({ ...sound, "b/1.png": p1 } as Files, true, ["duplicateAcrossClasses", "a/1.png", "b/1.png"]);
    const parts = { "train/a/1.png": p1, "train/b/2.png": p2, "val/a/3.png": p3, "val/b/4.png": p4 } as Files;
    await assertFinds(parts, false);
    const within = ["duplicateInClass", "train/a/1.png", "train/a/x/1.png"] as const;
    await assertFinds({ ...parts, "train/a/x/1.png": p1 } as Files, false, within);
    const commented = Buffer.concat([
      raccoon.subarray(0, 2),
      Buffer.from([0xff, 0xfe, 0, 5]),
      Buffer.from("new"),
      raccoon.subarray(2),
    ]);
    const png = await sharp(raccoon).png().toBuffer();
    const copies = { ...parts, "train/a/r.jpg": raccoon, "train/b/s.jpg": commented, "train/b/t.png": png } as Files;
    await assertFinds(copies, true, ["duplicateAcrossClasses", "train/a/r.jpg", "train/b/s.jpg", "train/b/t.png"]);
    const across = { ...parts, "train/a/r.jpg": raccoon, "val/a/t.png": png } as Files;
    await assertFinds(across, true, ["duplicateAcrossParts", "train/a/r.jpg", "val/a/t.png"]);
    const leak = ["duplicateAcrossParts", "train/a/1.png", "val/a/1.png"] as const;
    await assertFinds({ ...parts, "val/a/1.png": p1 } as Files, true, leak);
    const both = ["train/a/1.png", "val/b/1.png"];
    await assertFinds(
      { ...parts, "val/b/1.png": p1 } as Files,
      true,
      ["duplicateAcrossClasses", ...both],
      ["duplicateAcrossParts", ...both],
    );
  });

  test("in both parts of training's split: exactly where training would have one of each", async () => {
    const many = { ...sound };
    for (let i = 10; i < 20; i++) many[`a/${i}.png`] = await picture(i);
    const copies: string[] = [];
    for (const name of Object.keys(many).filter((path) => path.startsWith("a/") && path !== "a/1.png")) {
      const files = { ...many, [name]: p1 as Uint8Array };
      const heldOut = await withFolder(files, async (root) =>
        (await listImageFolder(root)).test.map(({ path }) => path),
      );
      const isDivided = heldOut.includes("a/1.png") !== heldOut.includes(name);
      const kind = isDivided ? "duplicateAcrossDivision" : "duplicateInClass";
      await assertFinds(files, isDivided, [kind, ...["a/1.png", name].sort()] as [FindingName, ...string[]]);
      if (isDivided) copies.push(name);
    }
    assert.ok(copies.length > 0 && copies.length < 11, copies.join());
    const [name = ""] = copies;
    const inTrain = (files: Files) =>
      Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`train/${path}`, bytes]));
    const alone = inTrain({ ...many, [name]: p1 as Uint8Array });
    const paths = ["train/a/1.png", `train/${name}`].sort();
    await assertFinds(alone, true, ["duplicateAcrossDivision", ...paths]);
    const watched = { ...alone, "val/a/30.png": await picture(30), "val/b/31.png": await picture(31) };
    await assertFinds(watched, false, ["duplicateInClass", ...paths]);
  });

  test("broken files are not duplicates", async () => {
    await assertFinds(
      { ...sound, "a/x.jpg": "", "b/x.jpg": "" },
      true,
      ["emptyFile", "a/x.jpg"],
      ["emptyFile", "b/x.jpg"],
    );
  });
});

describe("checkFolder: parts and classes", () => {
  test("empty, missing and too few classes, empty parts", async () => {
    await assertFinds({ ...sound, "c/": "" }, true, ["emptyClass", "c"]);
    await assertFinds({ "a/1.png": p1 } as Files, true, ["tooFewClasses"]);
    await assertFinds({ "a/1.png": p1, "b/": "" } as Files, true, ["tooFewClasses"], ["emptyClass", "b"]);
    await assertFinds({}, true, ["tooFewClasses"]);
    const train = { "train/a/1.png": p1, "train/b/2.png": p2 } as Files;
    await assertFinds(
      { ...train, "val/a/3.png": p3, "val/c/4.png": p4 } as Files,
      true,
      ["missingClass", "train/c"],
      ["missingClass", "val/b"],
    );
    await assertFinds({ ...train, "test/": "" }, true, ["emptyPart", "test"]);
    await assertFinds({ ...train, "test/a/": "" }, true, ["emptyPart", "test"]);
    await assertFinds({ "a/": "", "b/": "" }, true, ["tooFewClasses"]);
  });

  test("names that differ in case only, within a part or across parts", async () => {
    await assertFinds({ ...sound, "B/5.png": p5 } as Files, true, ["caseOnlyNames", "B", "b"]);
    const train = { "train/a/1.png": p1, "train/b/2.png": p2 } as Files;
    await assertFinds(
      { ...train, "val/a/3.png": p3, "val/B/4.png": p4 } as Files,
      true,
      ["missingClass", "train/B"],
      ["missingClass", "val/b"],
      ["caseOnlyNames", "train/b", "val/B"],
    );
  });

  test("names that look alike: spaces, invisible characters, forms of letters", async () => {
    for (const [name, shown] of [
      ["a ", "a "],
      [" a", " a"],
      ["a\u00a0", "a\\u{a0}"],
      ["\u200ba", "\\u{200b}a"],
      ["\ufeffa", "\\u{feff}a"],
      ["\uff41", "\uff41"],
      ["A ", "A "],
    ] as const) {
      const result = await check({ ...sound, [`${name}/5.png`]: p5 as Uint8Array });
      const [alike, ...others] = result.findings;
      assert.deepEqual([alike?.kind, others, result.affectsTraining], ["alikeNames", [], true], JSON.stringify(name));
      assert.ok(alike?.message.includes(`"${shown}"`), alike?.message);
      assert.deepEqual([...(alike?.paths ?? [])].sort(), ["a", name].sort());
    }
    const spaced = { ...sound, "big dog/5.png": p5, "big  dog/6.png": p6 } as Files;
    await assertFinds(spaced, true, ["alikeNames", "big  dog", "big dog"]);
    await assertFinds({ ...sound, "c /5.png": p5 } as Files, false, ["oddName", "c "]);
  });

  test("parts below classes", async () => {
    const files = { ...sound, "a/train/5.png": p5, "a/test/6.png": p6 } as Files;
    await assertFinds(files, true, ["partInsideClass", "a"]);
  });

  test("classes are unbalanced above 10 to 1", async () => {
    const many = await Promise.all(Array.from({ length: 11 }, (_, i) => picture(100 + i)));
    const ten = Object.fromEntries(many.slice(0, 10).map((bytes, i) => [`a/${i}.png`, bytes]));
    await assertFinds({ ...ten, "b/1.png": p1 } as Files, false);
    const eleven = { ...ten, "a/10.png": many[10] };
    await assertFinds({ ...eleven, "b/1.png": p1 } as Files, false, ["unbalanced", "a", "b"]);
  });

  test("skipped entries: unreadable ones may have been images, the others are harmless", async () => {
    const skipped = { "a/notes.txt": "notes", "a/.x": "", "top.png": p5, "a/y.jpg/6.png": p6 } as Files;
    await withFolder({ ...sound, ...skipped }, async (root) => {
      execFileSync("mkfifo", [join(root, "a/pipe.jpg")]);
      execFileSync("ln", ["-s", "..", join(root, "a/loop")]);
      const result = await checkFolder(await scanFolder(root), { examine });
      assert.deepEqual(found(result), [
        ["hidden", "a/.x"],
        ["repeatedFolder", "a/loop"],
        ["notPicture", "a/notes.txt"],
        ["special", "a/pipe.jpg"],
        ["pictureNamedFolder", "a/y.jpg"],
        ["outsideClass", "top.png"],
      ]);
      assert.equal(result.affectsTraining, false);
      execFileSync("ln", ["-s", "nowhere", join(root, "a/broken.jpg")]);
      const broken = await checkFolder(await scanFolder(root), { examine });
      assert.deepEqual(found(broken)[1], ["unreadableEntry", "a/broken.jpg"]);
      assert.ok(broken.affectsTraining);
    });
  });
});

test("the order of examination changes nothing; progress is reported per image", async () => {
  const files = { ...sound, "b/1.png": p1, "a/0.jpg": "", "b/0.jpg": raccoon.subarray(0, 5000) } as Files;
  await withFolder(files, async (root) => {
    const backwards: Examine = (paths) => examine([...paths].reverse());
    const scan = await scanFolder(root);
    const progress: (readonly [number, number])[] = [];
    const onProgress = (done: number, of: number) => progress.push([done, of]);
    const forwards = await checkFolder(scan, { examine, onProgress });
    assert.deepEqual(await checkFolder(scan, { examine: backwards }), forwards);
    assert.deepEqual(
      progress,
      [1, 2, 3, 4, 5, 6, 7].map((done) => [done, 7]),
    );
  });
});

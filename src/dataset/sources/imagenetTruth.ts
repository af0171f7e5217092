/** Labels of validation images that lie in one folder. */
import { DataError } from "../../errors.ts";
import { findText, type ImagenetFiles, readLines } from "./imagenetFiles.ts";
import type { Synsets } from "./imagenetNames.ts";
import { readStructs } from "./matFile.ts";

/** The classes of validation pictures that lie in one folder. */
export interface GroundTruth {
  readonly file: string;
  /** WNIDs by the picture's file name without its ending. */
  readonly wnids: ReadonlyMap<string, string>;
}

/** What there is to tell what the numbers of a form count. */
export interface Numbering {
  readonly files: ImagenetFiles;
  /** Sorted. */
  readonly trainWnids: readonly string[];
  readonly synsets: Synsets | undefined;
}

/** A picture's name without its ending, and its WNID: whatever a line does not give is undefined. */
type Entry = readonly [name: string | undefined, wnid: string | undefined];

/** Classes of ILSVRC 2012. */
const allClasses = 1000;
const kitName = "ILSVRC2012_validation_ground_truth.txt";

/** The forms, known by the names of their files; the first that is there is read. */
const forms = { "LOC_val_solution.csv": readKaggle, "val.txt": readCaffe, [kitName]: readKit };

/** The names of the files of which one is needed. */
export const truthNames: readonly string[] = Object.keys(forms);

/** The ground truth in the first form that is there, or undefined. Throws DataError naming the file and the line. */
export async function readTruth(numbering: Numbering): Promise<GroundTruth | undefined> {
  for (const [name, read] of Object.entries(forms)) {
    const file = await findText(numbering.files, name);
    if (file !== undefined) return { file, wnids: await read(file, numbering) };
  }
  return undefined;
}

/** Kaggle's: a header, then picture, class and box, once more for each further box. */
async function readKaggle(file: string): Promise<ReadonlyMap<string, string>> {
  const parse = (line: string): Entry => {
    const [, name, wnid] = /^(\w+),(n\d{8})(?: |$)/.exec(line) ?? [];
    return [name, wnid];
  };
  return entriesOf(file, '"ILSVRC2012_val_00000001,n01440764 1 2 3 4"', parse, "ImageId,PredictionString");
}

/** Caffe's: the numbers are those of the sorted WNIDs, from 0. */
async function readCaffe(
  file: string,
  { files, trainWnids, synsets }: Numbering,
): Promise<ReadonlyMap<string, string>> {
  const sorted = synsets ? [...synsets.names.keys()].sort() : trainWnids;
  if (!synsets && sorted.length !== allClasses) {
    throw new DataError(
      `${file}: its numbers count ${allClasses} classes, expected synset_words.txt or LOC_synset_mapping.txt to say which; ` +
        `${files.root} has neither, and ${sorted.length} classes in train`,
    );
  }
  const parse = (line: string): Entry => {
    const [, name, number] = /^(\w+)\.\w+ (\d+)$/.exec(line) ?? [];
    return [name, sorted[Number(number)]];
  };
  return entriesOf(file, `"ILSVRC2012_val_00000001.JPEG 65", the number from 0 to ${sorted.length - 1}`, parse);
}

/** The development kit's: a number for each picture in turn; meta.mat says which class has it. */
async function readKit(file: string, { files }: Numbering): Promise<ReadonlyMap<string, string>> {
  const meta = await findText(files, "meta.mat");
  if (meta === undefined) {
    throw new DataError(
      `${file}: its numbers are the development kit's own, expected meta.mat from there to say which class is which; ` +
        "found none; LOC_val_solution.csv, or val.txt with synset_words.txt, would do instead of both",
    );
  }
  const synsets = await readStructs(meta, "synsets", ["ILSVRC2012_ID", "WNID"]);
  const wnids = new Map(synsets.map(([id, wnid]) => [String(id), String(wnid)]));
  const parse = (line: string, index: number): Entry => [
    `ILSVRC2012_val_${String(index + 1).padStart(8, "0")}`,
    wnids.get(line.trim()),
  ];
  return entriesOf(file, `the ILSVRC2012_ID of a class in ${meta}`, parse);
}

/** The entries of all lines but the header. Throws DataError if a line is not as `expected`, or a picture comes twice. */
async function entriesOf(
  file: string,
  expected: string,
  parse: (line: string, index: number) => Entry,
  header?: string,
): Promise<ReadonlyMap<string, string>> {
  const entries = new Map<string, string>();
  const lines = await readLines(file);
  if (header !== undefined && lines[0] !== header) {
    throw new DataError(`${file}: line 1: expected ${header}, got ${JSON.stringify(lines[0])}`);
  }
  const first = header === undefined ? 0 : 1;
  for (const [index, line] of lines.slice(first).entries()) {
    const where = `${file}: line ${first + index + 1}`;
    const [name, wnid] = parse(line, index);
    if (name === undefined || wnid === undefined) {
      throw new DataError(`${where}: expected ${expected}, got ${JSON.stringify(line)}`);
    }
    if (entries.has(name)) throw new DataError(`${where}: expected ${name} once, got it twice`);
    entries.set(name, wnid);
  }
  return entries;
}

/** Event files for TensorBoard, written during training. */
import { appendFileSync, mkdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import { explainingWrites } from "../checkpoint/durable.ts";
import type { LogEntry } from "../checkpoint/runLog.ts";
import { messageOf } from "../errors.ts";
import { fileNameOf } from "../fileName.ts";
import { scalarsRecord, startRecord, versionRecord } from "../report/tensorboardEvents.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { printError } from "./output.ts";

/** Callbacks of a run that write events. */
export type EventObserver = Required<Pick<TrainObserver, "onStart" | "onLog" | "onRollback">>;

/**
 * Writes the log of a run as TensorBoard events, to a folder in `folder` named after the run: one file per call of `train`. The file of a resumed run
 * contains the iteration at which it resumes, and TensorBoard drops later events; so does a rollback.
 *
 * Throws CheckpointError if the folder cannot be created. A later write error is reported once, and training continues.
 */
export async function tensorboardObserver(folder: string): Promise<EventObserver> {
  await explainingWrites(folder, () => mkdir(folder, { recursive: true }));
  let file = "";
  const write = (action: () => void) => {
    if (file === "") return;
    try {
      action();
    } catch (error) {
      printError(`${file}: cannot be written: ${messageOf(error)}; training continues without it`);
      file = "";
    }
  };
  return {
    onStart({ directory, iteration }) {
      const place = join(folder, basename(resolve(directory)));
      const seconds = String(Math.floor(now())).padStart(10, "0");
      file = join(place, `events.out.tfevents.${seconds}.${fileNameOf(hostname(), "host")}.${process.pid}`);
      const time = { wallTime: now(), step: iteration + 1 };
      write(() => {
        mkdirSync(place, { recursive: true });
        appendFileSync(file, Buffer.concat([versionRecord(time), startRecord(time)]));
      });
    },
    onRollback({ iteration }) {
      write(() => appendFileSync(file, startRecord({ wallTime: now(), step: iteration + 1 })));
    },
    onLog(entry) {
      write(() => appendFileSync(file, scalarsRecord({ wallTime: now(), step: entry.iteration }, scalarsOf(entry))));
    },
  };
}

function now(): number {
  return Date.now() / 1000;
}

/** Scalars of a log line. Those of evaluations are means over the epoch; separate tags give each tag one value per iteration. */
function scalarsOf({
  trainLoss,
  trainAccuracy,
  testLoss,
  testAccuracy,
  testMeanAveragePrecision,
  ...entry
}: LogEntry): Record<string, number> {
  if (testLoss === undefined || testAccuracy === undefined) {
    return {
      "train/loss": trainLoss,
      "train/accuracy": trainAccuracy,
      learning_rate: entry.learningRate,
      images_per_second: entry.examplesPerSecond,
    };
  }
  return {
    "test/loss": testLoss,
    "test/accuracy": testAccuracy,
    ...(testMeanAveragePrecision === undefined ? {} : { "test/mean average precision": testMeanAveragePrecision }),
    "epoch/train_loss": trainLoss,
    "epoch/train_accuracy": trainAccuracy,
    "epoch/images_per_second": entry.examplesPerSecond,
  };
}

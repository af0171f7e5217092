/** Event files for TensorBoard, written while a run is trained. */
import { appendFileSync, mkdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import { explainingWrites } from "../checkpoint/durable.ts";
import type { LogEntry } from "../checkpoint/runLog.ts";
import { messageOf } from "../errors.ts";
import { scalarsRecord, startRecord, versionRecord } from "../report/tensorboardEvents.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { tell } from "./output.ts";

/** What of a run becomes events. */
export type EventObserver = Required<Pick<TrainObserver, "onStart" | "onLog" | "onRollback">>;

/**
 * Writes what a run logs for TensorBoard, into a folder of the run's name under `folder`: a file for each call of `train`. A resumed run's says at which
 * iteration it goes on, and TensorBoard forgets what went beyond; so does a rollback.
 *
 * Throws CheckpointError if there can be no such folder. What cannot be written later is said once, and training goes on.
 */
export async function tensorboardObserver(folder: string): Promise<EventObserver> {
  await explainingWrites(folder, () => mkdir(folder, { recursive: true }));
  let file = "";
  const write = (action: () => void) => {
    if (file === "") return;
    try {
      action();
    } catch (error) {
      tell(`${file}: cannot be written: ${messageOf(error)}; training goes on without it`);
      file = "";
    }
  };
  return {
    onStart({ directory, iteration }) {
      const place = join(folder, basename(resolve(directory)));
      const seconds = String(Math.floor(now())).padStart(10, "0");
      file = join(place, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}`);
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

/** Lines of evaluations hold means over the epoch: they have tags of their own, so that no tag has two values in one iteration. */
function scalarsOf({ trainLoss, trainAccuracy, testLoss, testAccuracy, ...entry }: LogEntry): Record<string, number> {
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
    "epoch/train_loss": trainLoss,
    "epoch/train_accuracy": trainAccuracy,
    "epoch/images_per_second": entry.examplesPerSecond,
  };
}

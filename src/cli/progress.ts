/** Progress lines on standard error. */
import cliProgress from "cli-progress";
import { printable } from "../escape.ts";
import { formatDuration, formatRate } from "../report/numbers.ts";
import { terminalWidth, truncate } from "../report/text.ts";
import { coloured, printError, unicodeOutput } from "./output.ts";

/** A progress line on standard error: redrawn in a terminal, printed every 15 seconds elsewhere. */
export interface ProgressLine {
  /** `text` follows the bar. */
  update(done: number, total: number, text: string): void;
  /** Removes the bar, for other output. While the bar is shown, the process does not end by itself. */
  clear(): void;
}

const SECONDS_BETWEEN_LINES = 15;

/** A bar in a terminal, a line every 15 seconds elsewhere. */
export function progressLine(given: string | (() => string)): ProgressLine {
  const label = typeof given === "string" ? () => given : given;
  return process.stderr.isTTY ? terminalLine(label) : plainLines(label);
}

function terminalLine(labelNow: () => string): ProgressLine {
  let bar: cliProgress.SingleBar | undefined;
  // A process that ends while the bar is shown must restore the terminal's cursor.
  const stop = () => bar?.stop();
  let label = "";
  return {
    update(done, total, text) {
      if (!bar) label = labelNow();
      if (!bar) {
        const format = `${label} ${coloured("{bar}", "cyan")} {text}`;
        const preset = unicodeOutput() ? cliProgress.Presets.shades_classic : cliProgress.Presets.legacy;
        const options = {
          format,
          clearOnComplete: true,
          hideCursor: true,
          barsize: BAR_COLUMNS,
          stream: process.stderr,
        };
        bar = new cliProgress.SingleBar({ ...options, linewrap: false, gracefulExit: false }, preset);
        bar.start(total, done, { text: fitted(label, text) });
        process.once("exit", stop);
      }
      bar.setTotal(total);
      bar.update(done, { text: fitted(label, text) });
    },
    clear() {
      stop();
      bar = undefined;
      process.off("exit", stop);
    },
  };
}

const BAR_COLUMNS = 8;

/** The text of a bar, cut to the terminal's width: a wrapped line would stay when the bar is removed. */
function fitted(label: string, text: string): string {
  // A terminal without a size reports 0 columns.
  const columns = process.stderr.columns || terminalWidth;
  return truncate(printable(text), Math.max(1, columns - label.length - BAR_COLUMNS - 3));
}

function plainLines(label: () => string): ProgressLine {
  let last = performance.now();
  return {
    update(done, total, text) {
      const now = performance.now();
      if (now - last < SECONDS_BETWEEN_LINES * 1000) return;
      last = now;
      printError(`${label()} ${Math.floor((100 * done) / total)} % ${text}`);
    },
    clear() {},
  };
}

/** A progress line for images, or other numerous items, with rate and remaining time. */
export function imageProgress(
  label: string,
  unit = "images",
): { update(images: number, of: number): void; clear(): void } {
  const line = progressLine(label);
  let began: number | undefined;
  let first = 0;
  return {
    update(images, of) {
      if (began === undefined) {
        began = performance.now();
        first = images;
      }
      // Images that were already done took no time.
      const rate = (images - first) / ((performance.now() - began) / 1000);
      const left = rate > 0 ? ` ${formatDuration((of - images) / rate)} left` : "";
      line.update(images, of, `${images} of ${of} ${unit} ${rate > 0 ? formatRate(rate, unit) : ""}${left}`);
    },
    clear() {
      line.clear();
      began = undefined;
    },
  };
}

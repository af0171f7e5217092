/** Standard output and standard error of commands: text for people, JSON for programs. */
import cliProgress from "cli-progress";
import type { Command } from "commander";
import { formatDuration, formatRate } from "../report/numbers.ts";
import { showsUnicode } from "../report/tables/terminal.ts";

/** Whether standard output can show block characters. */
export function unicodeOutput(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return showsUnicode(process.stdout.isTTY === true, { LC_ALL, LC_CTYPE, LANG });
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** What `--csv` takes for standard output. */
export const STANDARD_OUTPUT = "-";

/** Standard output as a table that is written piece by piece; each waits until it is taken. */
export const standardTable = {
  append: (text: string) =>
    new Promise<void>((resolve, reject) => process.stdout.write(text, (error) => (error ? reject(error) : resolve()))),
  async commit() {},
  async close() {},
};

/** Ends the command, as one that is used wrongly, if a table and JSON would both go to standard output. */
export function refuseMixedOutput(command: Command, csv: string | undefined, json: boolean | undefined): void {
  if (csv === STANDARD_OUTPUT && json) {
    command.error("error: --csv - and --json both write to standard output: give --csv a file, or leave one out");
  }
}

/** What is for people's eyes and not part of a command's result. */
export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A line of progress on standard error: redrawn in a terminal, printed now and then elsewhere. */
export interface ProgressLine {
  /** `text` stands behind the bar. */
  update(done: number, total: number, text: string): void;
  /** Removes the bar, so that something else can be printed. While it is shown, the process does not end by itself. */
  clear(): void;
}

const SECONDS_BETWEEN_LINES = 15;

/** A bar in a terminal, a line every 15 seconds elsewhere. */
export function progressLine(label: string): ProgressLine {
  return process.stderr.isTTY ? terminalLine(label) : plainLines(label);
}

function terminalLine(label: string): ProgressLine {
  let bar: cliProgress.SingleBar | undefined;
  // A process that ends while the bar is shown must give the terminal its cursor back.
  const stop = () => bar?.stop();
  return {
    update(done, total, text) {
      if (!bar) {
        const format = `${label} {bar} {text}`;
        const preset = unicodeOutput() ? cliProgress.Presets.shades_classic : cliProgress.Presets.legacy;
        const options = { format, clearOnComplete: true, hideCursor: true, barsize: 16, stream: process.stderr };
        bar = new cliProgress.SingleBar({ ...options, linewrap: false, gracefulExit: false }, preset);
        bar.start(total, done, { text });
        process.once("exit", stop);
      }
      bar.setTotal(total);
      bar.update(done, { text });
    },
    clear() {
      stop();
      bar = undefined;
      process.off("exit", stop);
    },
  };
}

function plainLines(label: string): ProgressLine {
  let last = performance.now();
  return {
    update(done, total, text) {
      const now = performance.now();
      if (now - last < SECONDS_BETWEEN_LINES * 1000) return;
      last = now;
      tell(`${label} ${Math.floor((100 * done) / total)} % ${text}`);
    },
    clear() {},
  };
}

/** A line of progress for pictures, or other things of which there are many, with rate and time left. */
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
      // Those that were there already took no time.
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

/** `alexnet train --folds`. */
import { UsageError } from "../errors.ts";
import type { RunLocation } from "../settings/resolve.ts";
import type { RunSettings } from "../settings/settings.ts";
import { trainFolds } from "../trainer/trainFolds.ts";
import { outliveOutput, print, printError, printJson } from "./output.ts";
import { onStopSignals, STOPPING } from "./signals.ts";
import { showing, trainProgress } from "./trainProgress.ts";

/** Options of the command besides settings. */
interface FoldsCall {
  readonly json: boolean | undefined;
  readonly maxMinutes: number | undefined;
  readonly command: string;
}

/** Trains all folds of a cross-validation, shows their progress and prints their figures. Throws UsageError for `--config`. */
export async function runFolds(
  { config, ...settings }: RunSettings & RunLocation & { readonly config?: string },
  { json, maxMinutes, command }: FoldsCall,
): Promise<void> {
  if (config !== undefined)
    throw new UsageError("--config: cannot be combined with --folds; give the settings as flags, or add --fold N");
  let current = "";
  const lines = trainProgress(() => current);
  const stop = onStopSignals(() => {
    lines.clear();
    printError(STOPPING);
  });
  outliveOutput();
  try {
    const result = await trainFolds({
      ...settings,
      ...(maxMinutes === undefined ? {} : { maxMinutes }),
      signal: stop.signal,
      observer: showing(lines),
      command,
      onFold(fold, of) {
        lines.clear();
        current = `fold ${fold}/${of} `;
        printError(`fold ${fold} of ${of}`);
      },
    });
    lines.clear();
    const { run, end, table, ...figures } = result;
    if (json) printJson({ run, end, ...figures });
    else if (table !== undefined) {
      print(table);
      print(`report ${run}/report.html`);
      printError(`Next: alexnet predict ${run} IMAGE; alexnet evaluate ${run} --dataset DIR, of images in no fold`);
    }
    if (end === "interrupt" || end === "time") printError(`Saved. Resume with: alexnet train --run ${run} --resume`);
    if (end === "interrupt") process.exitCode = stop.exitCode();
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    lines.clear();
    printError("Stopped before training. The same command reuses what is downloaded and packed.");
    process.exitCode = stop.exitCode();
  } finally {
    lines.clear();
    stop.end();
  }
}

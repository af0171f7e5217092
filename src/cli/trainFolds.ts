/** `alexnet train --folds`. */
import { UsageError } from "../errors.ts";
import type { RunLocation } from "../settings/resolve.ts";
import type { RunSettings } from "../settings/settings.ts";
import { type FoldsResult, trainFolds } from "../trainer/trainFolds.ts";
import { print, printError, printJson } from "./output.ts";
import { showTraining } from "./showTraining.ts";

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
  await showTraining(
    async ({ observer, signal, say, clear }) => {
      const result = await trainFolds({
        ...settings,
        ...(maxMinutes === undefined ? {} : { maxMinutes }),
        signal,
        observer,
        command,
        onFold(fold, of) {
          current = `fold ${fold}/${of} `;
          say(`fold ${fold} of ${of}`);
        },
      });
      clear();
      printFolds(result, json);
      return result;
    },
    () => current,
  );
}

function printFolds({ run, end, table, ...figures }: FoldsResult, json: boolean | undefined): void {
  if (json) printJson({ run, end, ...figures });
  else if (table !== undefined) {
    print(table);
    print(`report ${run}/report.html`);
    printError(`Next: alexnet predict ${run} IMAGE; alexnet evaluate ${run} --dataset DIR, of images in no fold`);
  }
  if (end === "interrupt" || end === "time") printError(`Saved. Resume with: alexnet train --run ${run} --resume`);
}

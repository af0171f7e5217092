/** The command: parses, calls, turns errors into messages and exit codes. */
import { Command, CommanderError } from "commander";
import { packageVersion } from "../engine/select/machine.ts";
import { AlexNetError } from "../errors.ts";
import { addActivations } from "./activations.ts";
import { addAugment } from "./augment.ts";
import { addBench } from "./bench.ts";
import { addCheck } from "./check.ts";
import { addCompare } from "./compare.ts";
import { addDoctor } from "./doctor.ts";
import { addDraw } from "./draw.ts";
import { addEvaluate } from "./evaluate.ts";
import { addExport } from "./export.ts";
import { addFilters } from "./filters.ts";
import { addImport } from "./import.ts";
import { addLive } from "./live.ts";
import { addLrFind } from "./lrFind.ts";
import { addMap } from "./map.ts";
import { tell } from "./output.ts";
import { addPredict } from "./predict.ts";
import { addPull } from "./pull.ts";
import { addRuns } from "./runs.ts";
import { addSaliency } from "./saliency.ts";
import { addSimilar } from "./similar.ts";
import { addSummary } from "./summary.ts";
import { addSweep } from "./sweep.ts";
import { addTrain } from "./train.ts";
import { addVerify } from "./verify.ts";

const examples = `
Start here:
  alexnet summary                        the networks
  alexnet train --epochs 0.25            a first training run
  alexnet predict runs/… IMAGE           what is in a picture
  alexnet pull torchvision               ImageNet's 1000 classes, trained
`;

const commands = [
  addLrFind,
  addSweep,
  addEvaluate,
  addPredict,
  addAugment,
  addSummary,
  addDraw,
  addFilters,
  addActivations,
  addSaliency,
  addSimilar,
  addMap,
  addLive,
  addRuns,
  addCompare,
  addExport,
  addImport,
  addPull,
  addVerify,
  addCheck,
  addBench,
  addDoctor,
];

/** Runs the command line. Returns the exit code: 0; 1 for an error; 2 for wrong usage; 3 if training diverged; 128 + n for signal n. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("alexnet")
    .description("AlexNet image classification: train, evaluate, predict")
    .version(packageVersion())
    .exitOverride()
    .configureHelp({ helpWidth: 80 })
    .addHelpText("after", examples);
  addTrain(program, argv);
  for (const add of commands) add(program);
  for (const command of program.commands) command.exitOverride().configureHelp({ helpWidth: 80 });
  try {
    process.exitCode = 0;
    await program.parseAsync(argv, { from: "user" });
    return Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof AlexNetError)) throw error;
    tell(`alexnet: ${error.message}`);
    return error.exitCode;
  }
}

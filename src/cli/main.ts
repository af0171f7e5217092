import { Command, CommanderError } from "commander";
import { packageVersion } from "../classifier/machine.ts";
import { AlexNetError } from "../errors.ts";
import { addAugment } from "./augment.ts";
import { addBench } from "./bench.ts";
import { addCheck } from "./check.ts";
import { addCompare } from "./compare.ts";
import { addDoctor } from "./doctor.ts";
import { addEvaluate } from "./evaluate.ts";
import { addLive } from "./live.ts";
import { tell } from "./output.ts";
import { addPredict } from "./predict.ts";
import { addRuns } from "./runs.ts";
import { addSummary } from "./summary.ts";
import { addTrain } from "./train.ts";

const examples = `
Start here:
  alexnet summary                        the networks
  alexnet train --epochs 0.25            a first training run
  alexnet predict runs/… IMAGE           what is in a picture
`;

/** Runs the command line. Returns the exit code: 0; 1 for an error; 2 for wrong usage; 3 if training diverged; 128 + n for signal n. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("alexnet")
    .description("AlexNet image classification: train, evaluate, predict")
    .version(packageVersion())
    .exitOverride()
    .configureHelp({ helpWidth: 80 })
    .addHelpText("after", examples);
  addTrain(program, argv);
  for (const add of [
    addEvaluate,
    addPredict,
    addLive,
    addRuns,
    addCompare,
    addAugment,
    addSummary,
    addCheck,
    addBench,
    addDoctor,
  ])
    add(program);
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

/** `alexnet draw`. */
import { type Command, Option } from "commander";
import { findNetworkOrRun } from "../model/networkOrRun.ts";
import { type Theme, themes } from "../report/theme.ts";
import { addNetworkOptions, type NetworkFlags } from "./networkOptions.ts";
import { print } from "./output.ts";

interface DrawFlags extends NetworkFlags {
  readonly output: string;
  readonly theme: Theme;
}

const examples = `
Examples:
  alexnet draw alexnet                              network.svg
  alexnet draw alexnet --output alexnet.png         the same as pixels
  alexnet draw my-network.json --theme dark         your own, light on dark
  alexnet draw runs/quick --output quick.svg        the network of a run

Blocks are maps: height, width to the back, channels to the right, compressed so
that small ones can be seen. Every number of a network: alexnet summary.
`;

/** Adds `alexnet draw`. */
export function addDraw(program: Command): void {
  const command = program
    .command("draw")
    .description("draw a network: its maps in perspective, with sizes and kernels")
    .argument("<network>", "a name, a JSON file, or a run");
  addNetworkOptions(command)
    .option("--output <file>", "where it is written; the name ends in .svg or .png", "network.svg")
    .addOption(new Option("--theme <name>", "colours").choices(themes).default("light"))
    .addHelpText("after", examples)
    .action(draw);
}

async function draw(name: string, { output, theme, ...sizes }: DrawFlags): Promise<void> {
  const { requireEnding, writeDrawing } = await import("./imageFile.ts");
  requireEnding(output, [".svg", ".png"]);
  const network = await findNetworkOrRun(name, sizes);
  const { drawNetwork } = await import("../report/figures/drawing.ts");
  await writeDrawing(output, drawNetwork(network, theme));
  print(output);
}

/** `alexnet web`. */
import { formatBytes } from "../../bytes.ts";
import { jsonOption } from "../options.ts";
import { print, printJson, requireEnding } from "../output.ts";
import type { CommandSpec, Invocation } from "../spec.ts";

export const web: CommandSpec = {
  options: [
    { flags: "--run <run...>", help: "runs or weights files to include; the first is opened at once" },
    { flags: "--output <dir>", help: "folder to write, for any static host; an existing one is not replaced" },
    {
      flags: "--single-file <file>",
      help: "one .html file to write instead, with the network of one run in 8 bits; it works from the disk",
      conflicts: ["output"],
    },
    jsonOption,
  ],
  examples: [
    ["alexnet web --run runs/photos --output site", "a folder with index.html"],
    ["alexnet web --output site", "to explain and to train, without a network"],
    ["alexnet web --run runs/photos --single-file photos.html", "to send to others"],
  ],
  notes: `
The page classifies images, shows activations and saliency, explains networks,
and trains on your own images, all in the browser tab: docs/web.md. After one
load over https or on localhost, it loads without a network, and uses all
processors.`,
  run: writeWeb,
};

interface WebFlags {
  readonly run?: readonly string[];
  readonly output?: string;
  readonly singleFile?: string;
  readonly json?: boolean;
}

async function writeWeb({ run = [], output, singleFile, json }: WebFlags, invocation: Invocation): Promise<void> {
  const { writeWebFile, writeWebFolder } = await import("../../exchange/writeWeb.ts");
  const write = () => {
    if (singleFile !== undefined) {
      requireEnding(singleFile, [".html"]);
      const [own, ...others] = run;
      if (own === undefined || others.length > 0) return invocation.fail("--single-file requires --run with one run");
      return writeWebFile(own, singleFile);
    }
    if (output === undefined) return invocation.fail("expected --output DIR or --single-file FILE");
    return writeWebFolder(run, output);
  };
  const written = await write();
  if (json) return printJson(written);
  const networks = written.networks.length === 0 ? "no network" : written.networks.join(", ");
  print(`${written.output}: ${networks}, ${formatBytes(written.bytes)}`);
}

/** `alexnet pull`. */
import { Argument, type Command } from "commander";
import { pretrainedNames } from "../checkpoint/pretrainedFiles.ts";
import { formatBytes } from "../report/numbers.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, progressLine, tell } from "./output.ts";
import { stoppable } from "./signals.ts";

interface PullFlags {
  readonly file?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet pull torchvision                  once: 244 MB, checked, converted
  alexnet predict torchvision cat.jpg       what is in a picture
  alexnet train photos/ --from torchvision  fine-tune on your own pictures
  alexnet pull torchvision --file alexnet-owt-7be5be79.pth   no network

The name stands wherever a run directory or a weights file does; ./torchvision
is a folder. The weights file lies in ~/.cache/alexnet/pretrained/torchvision
(or in $XDG_CACHE_HOME/alexnet/…). A download that was cut goes on.
`;

/** Adds `alexnet pull`. */
export function addPull(program: Command): void {
  program
    .command("pull")
    .description("get published weights, by name, for predict, evaluate, train --from and the others")
    .addArgument(new Argument("<name>", "whose").choices(pretrainedNames))
    .option("--file <file>", "the published file, if it is on this machine: nothing is downloaded")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(pull);
}

async function pull(name: string, { file, json }: PullFlags): Promise<void> {
  const { findPretrained, pullModel } = await import("../exchange/pullModel.ts");
  const pretrained = findPretrained(name);
  const downloading = progressLine("Downloading");
  const stopping = () => tell("\nStopping. What was downloaded is kept.");
  await stoppable(stopping, async (signal) => {
    const onProgress = (bytes: number, of: number) =>
      downloading.update(bytes, of, `${formatBytes(bytes)} of ${formatBytes(of)}`);
    const { weights, wasThere } = await pullModel(pretrained, { file, signal, onProgress }).finally(downloading.clear);
    const { model, published, source, archive } = pretrained;
    const { name: network } = model.network;
    if (json) return printJson({ name, weights, wasThere, network, ...published, source, url: archive.url });
    const percent = (fraction: number) => `${(100 * fraction).toFixed(3)} %`;
    print(
      `${name}: ${network}, ${model.classNames.length} classes${wasThere ? "; was in the cache" : ""}\n` +
        `published: ${percent(published.top1Accuracy)} top-1, ${percent(published.top5Accuracy)} top-5 (${source})\n${weights}`,
    );
  });
}

/** `alexnet pull`. */

import { formatBytes } from "../../bytes.ts";
import { pretrainedNames } from "../../checkpoint/pretrainedNames.ts";
import { formatPercent } from "../../report/numbers.ts";
import { jsonOption } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import { progressLine } from "../progress.ts";
import { stoppable } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";

export const pull: CommandSpec = {
  arguments: [{ name: "<name>", help: "published weights", choices: pretrainedNames }],
  options: [
    { flags: "--file <file>", help: "published file on this machine, to use instead of a download" },
    jsonOption,
  ],
  examples: [
    ["alexnet pull torchvision", "once: 244 MB, checked, converted"],
    ["alexnet predict torchvision cat.jpg", "classify an image"],
    ["alexnet train photos/ --from torchvision", "fine-tune on your own images"],
    ["alexnet pull torchvision --file alexnet-owt-7be5be79.pth", "offline"],
  ],
  notes: `
The name is valid wherever a run directory or a weights file is; ./torchvision
is a folder. The weights are stored in ~/.cache/alexnet/pretrained/torchvision
(or in $XDG_CACHE_HOME/alexnet/…). An interrupted download is resumed.`,
  run: pullWeights,
};

interface PullFlags {
  readonly file?: string;
  readonly json?: boolean;
}

async function pullWeights(name: string, { file, json }: PullFlags): Promise<void> {
  const { findPretrained, pullModel } = await import("../../exchange/pullModel.ts");
  const pretrained = findPretrained(name);
  const downloading = progressLine("Downloading");
  const stopping = () => printError("\nStopping. What was downloaded is kept.");
  await stoppable(stopping, async (signal) => {
    const onProgress = (bytes: number, of: number) =>
      downloading.update(bytes, of, `${formatBytes(bytes)} of ${formatBytes(of)}`);
    const { weights, wasThere } = await pullModel(pretrained, { file, signal, onProgress }).finally(downloading.clear);
    const { model, published, source, archive } = pretrained;
    const { name: network } = model.network;
    if (json) return printJson({ name, weights, wasThere, network, ...published, source, url: archive.url });
    print(
      `${name}: ${network}, ${model.classNames.length} classes${wasThere ? "; was in the cache" : ""}\n` +
        `published: ${formatPercent(published.top1Accuracy)} top-1, ${formatPercent(published.top5Accuracy)} top-5 (${source})\n${weights}`,
    );
  });
}

/** Weights that others have published: where, what network they are of, and what goes with them. */
import type { Model } from "../checkpoint/metadata.ts";
import { type PretrainedName, pretrainedNames } from "../checkpoint/pretrainedFiles.ts";
import type { Archive } from "../dataset/download/download.ts";
import { ConfigError } from "../errors.ts";
import { createFit } from "../image/prepare/fit.ts";
import { alexnetOwt } from "../network/alexnetOwt.ts";
import { imagenetClasses } from "./imagenetClasses.ts";
import { imagenetScale } from "./importDescription.ts";

/** Published weights. */
export interface Pretrained {
  readonly name: PretrainedName;
  /** The file as it is published; its name in the URL is that under which it is downloaded. */
  readonly archive: Archive;
  /** What reads it, see `formats.ts`. */
  readonly format: string;
  /** As published: accuracies are fractions. */
  readonly published: { readonly top1Accuracy: number; readonly top5Accuracy: number };
  readonly source: string;
  readonly model: Pick<Model, "network" | "classNames" | "preprocessing">;
}

const size = { width: 224, height: 224 };

/**
 * By name. Sources of torchvision's: its models/alexnet.py, AlexNet_Weights, for address, accuracy, class names and preprocessing (transforms/_presets.py,
 * ImageClassification); the SHA-256 begins as the file's name says, and is whole as Hugging Face's copies of the file give it.
 */
const published: { readonly [Name in PretrainedName]: Pretrained & { readonly name: Name } } = {
  torchvision: {
    name: "torchvision",
    archive: {
      url: "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
      sha256: "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
      // 233.087 MB, as torchvision has it.
      bytes: Math.round(233.087 * 2 ** 20),
    },
    format: "pytorch",
    published: { top1Accuracy: 0.56522, top5Accuracy: 0.79066 },
    source: "torchvision.models.AlexNet_Weights.IMAGENET1K_V1",
    model: {
      network: alexnetOwt,
      classNames: imagenetClasses,
      preprocessing: {
        size: [size.height, size.width],
        channels: 3,
        fit: createFit("crop", size),
        resize: "bilinear",
        ...imagenetScale,
      },
    },
  },
};

/** Published weights by name. Throws ConfigError listing the names if there are none of this one. */
export function findPretrained(name: string): Pretrained {
  const known = pretrainedNames.find((each) => each === name);
  if (known !== undefined) return published[known];
  throw new ConfigError(`${name}: no published weights of this name; there are ${pretrainedNames.join(", ")}`);
}

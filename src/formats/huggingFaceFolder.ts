/**
 * Folders for transformers.js and the Hugging Face Hub, written: the network as ONNX, class names and preprocessing in their JSON files, and a model
 * card.
 *
 * Source: huggingface/transformers.js 4.3.2, src/image_processors_utils.js, src/pipelines/image-classification.js; huggingface.co/docs/hub/model-cards.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { describeHead, type Model } from "../checkpoint/metadata.ts";
import { readingInto, type TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../errors.ts";
import { markdownText } from "../escape.ts";
import { leavesBorder } from "../image/prepare/fit.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { Filter } from "../image/resize/taps.ts";
import { isMultiLabel } from "../network/head.ts";
import { classesOf, isStochastic } from "../network/network.ts";
import type { CardRows } from "./format.ts";
import { writeOnnxFile } from "./onnx/writeOnnxFile.ts";

/** Pillow's number of each filter. Source: Pillow, src/libImaging/Imaging.h. */
const resampleNumbers: Readonly<Record<Filter, number>> = { bilinear: 2, bicubic: 3 };

/**
 * Writes the files of a folder that exists.
 *
 * Throws ConfigError, naming it, for what these files cannot express: the fit `pad`, a mean image, or a head of one output or none.
 */
export async function writeHuggingFace(
  folder: string,
  model: Model,
  weights: TensorSource,
  training: CardRows | undefined,
): Promise<void> {
  const { network, classNames, temperature, thresholds, preprocessing, head = "softmax" } = model;
  const isSets = isMultiLabel(head, classesOf(network));
  if (head !== "softmax" && !isSets) {
    throw new ConfigError(
      `huggingface: the head is "${describeHead(model)}", but transformers.js computes a softmax; export as onnx with --probabilities`,
    );
  }
  const processor = processorOf(preprocessing);
  await mkdir(join(folder, "onnx"));
  const options = { head, classNames, temperature, thresholds, preprocessing, inputName: "pixel_values" };
  await writeOnnxFile(join(folder, "onnx/model.onnx"), network, readingInto(weights), options);
  await writeJson(join(folder, "config.json"), configOf(classNames, preprocessing, isSets));
  await writeJson(join(folder, "preprocessor_config.json"), processor);
  await writeFileDurably(join(folder, "README.md"), cardOf(model, training));
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFileDurably(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** A model type that transformers.js runs as `pixel_values` → `logits`. */
function configOf(classNames: readonly string[], { size, channels }: Preprocessing, isSets: boolean): object {
  return {
    architectures: ["ResNetForImageClassification"],
    model_type: "resnet",
    num_channels: channels,
    image_size: size[0] === size[1] ? size[0] : [...size],
    id2label: Object.fromEntries(classNames.map((name, c) => [c, name])),
    label2id: Object.fromEntries(classNames.map((name, c) => [name, c])),
    ...(isSets ? { problem_type: "multi_label_classification" } : {}),
  };
}

/** The preprocessing as an image processor's settings. */
function processorOf({ size, channels, fit, resize, mean, deviation, meanImage }: Preprocessing): object {
  if (leavesBorder(fit)) {
    throw new ConfigError(
      `huggingface: the fit "${fit.kind}" leaves a border in the mean colour, which preprocessor_config.json cannot express; train with another --fit, or export as onnx`,
    );
  }
  if (meanImage !== undefined) {
    throw new ConfigError(
      "huggingface: the network subtracts a mean image, which preprocessor_config.json cannot express; export as onnx with --pixels",
    );
  }
  const [height, width] = size;
  const isCropped = "shorterSide" in fit;
  return {
    image_processor_type: "ViTImageProcessor",
    // Grey networks get grey images as they are; others fail there, since their channels differ from the mean's.
    do_convert_rgb: channels === 3,
    do_resize: true,
    size: isCropped ? { shortest_edge: fit.shorterSide } : { height, width },
    resample: resampleNumbers[resize],
    do_center_crop: isCropped,
    ...(isCropped && { crop_size: { height, width } }),
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [...mean],
    image_std: [...deviation],
  };
}

/** Code that classifies an image. */
const classCode = `import { pipeline } from "@huggingface/transformers";

const classify = await pipeline("image-classification", "USER/REPOSITORY", { dtype: "fp32" });
console.log(await classify("image.jpg"));`;

/** The pipeline computes a softmax whatever the problem type is. */
const labelCode = `import { AutoModel, AutoProcessor, load_image } from "@huggingface/transformers";

const model = await AutoModel.from_pretrained("USER/REPOSITORY", { dtype: "fp32" });
const processor = await AutoProcessor.from_pretrained("USER/REPOSITORY");
const { logits } = await model(await processor(await load_image("image.jpg")));
const probabilities = logits.sigmoid().tolist()[0];
console.log(probabilities.map((p, c) => [model.config.id2label[c], p]));`;

function cardOf(model: Model, training: CardRows | undefined): string {
  const { network, classNames, temperature, thresholds, preprocessing, metrics } = model;
  const isSets = isMultiLabel(model.head ?? "softmax", classesOf(network));
  const [channels, height, width] = network.input;
  const colours = channels === 1 ? "grey" : "colour";
  const shown = classNames.slice(0, SHOWN_CLASSES).map(markdownText).join(", ");
  const more = classNames.length > SHOWN_CLASSES ? ", …" : "";
  const notes = [
    ...(isStochastic(network) ? ["Dropout, active at evaluation in this network, is off in this file."] : []),
    ...(isSets ? [labelNote(thresholds)] : []),
    ...(temperature === undefined
      ? []
      : [`Divide the logits by ${temperature.toPrecision(6)} for calibrated probabilities.`]),
    ...(thresholds && !isSets
      ? [`An image whose most probable class is below ${limitsOf(thresholds)} shows none of the classes.`]
      : []),
    ...(network.source === "" ? [] : [`Network: ${markdownText(network.source)}.`]),
  ];
  return `---
# Replace the licence by yours, such as mit or apache-2.0.
license: unknown
library_name: transformers.js
pipeline_tag: image-classification
tags:
- image-classification
- onnx
- alexnet
---

# ${markdownText(network.name)}

An image classifier with ${classNames.length} classes for ${colours} images of ${width}×${height} pixels, exported by alexnet.
${notes.map((note) => `\n${note}\n`).join("")}
## Use

\`\`\`js
${isSets ? labelCode : classCode}
\`\`\`

Classes: ${shown}${more}

Images are fitted by \`${preprocessing.fit.kind}\` with ${preprocessing.resize} resampling. Their resizing differs slightly between programs.

## Metrics

${tableOf(
  "metric",
  Object.entries(metrics).map(([name, value]) => [name, String(Number(value.toPrecision(6)))] as const),
)}

## Training

${tableOf("setting", training ?? [])}

## Licence

Unknown. State the licence of the weights and of the training images here and at the top of this file.
`;
}

const SHOWN_CLASSES = 100;

function labelNote(thresholds: readonly number[] | undefined): string {
  const limits = thresholds ? thresholds.map((p) => p.toPrecision(3)).join(", ") : "0.5";
  return `An image may show several of the classes or none: each has a probability of its own, and is present from ${limits}.`;
}

/** The threshold of all classes, or those of each in their order. */
function limitsOf(thresholds: readonly number[]): string {
  const texts = thresholds.map((p) => p.toPrecision(3));
  return texts.every((text) => text === texts[0]) ? (texts[0] as string) : texts.join(", ");
}

function tableOf(heading: string, rows: CardRows): string {
  if (rows.length === 0) return "Not stated.";
  const lines = rows.map(([name, value]) => `| ${markdownText(name)} | ${markdownText(value)} |`);
  return [`| ${heading} | value |`, "| --- | --- |", ...lines].join("\n");
}

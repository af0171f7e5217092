/** Preparing pictures inside an ONNX graph: from 8-bit pixels of the input's size to what the network takes. */
import { ConfigError } from "../../errors.ts";
import type { PixelSize } from "../../image/image.ts";
import { frameSizeOf, leavesBorder, placementOf } from "../../image/prepare/fit.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import type { Shape } from "../../shape.ts";
import type { OnnxGraphBuilder } from "./graphBuilder.ts";

/** How pixels lie in the input: channels side by side, as in picture files, or plane after plane. */
export type PixelLayout = "nhwc" | "nchw";

/** Shape of one picture of that layout. */
export function pixelShape([channels, height, width]: readonly [number, number, number], layout: PixelLayout): Shape {
  return layout === "nhwc" ? [height, width, channels] : [channels, height, width];
}

/**
 * value = (level − 255 · mean − mean image) · 1 / (255 · deviation), with the pixels that the fit takes in evaluation.
 *
 * Throws ConfigError if the fit leaves a border, whose values no 8-bit pixel has.
 */
export function writePreprocessing(
  preprocessing: Preprocessing,
  layout: PixelLayout,
  pixels: string,
  graph: OnnxGraphBuilder,
): string {
  const { channels, mean, deviation, fit } = preprocessing;
  if (leavesBorder(fit)) {
    throw new ConfigError(
      `preprocessing: the fit "${fit.kind}" leaves a border in the mean colour, which 8-bit pixels do not have exactly; export without preprocessing`,
    );
  }
  graph.enter("preprocessing");
  const levels = graph.node("Cast", [pixels], { to: { int: 1 } });
  const planes = layout === "nhwc" ? graph.node("Transpose", [levels], { perm: { ints: [0, 3, 1, 2] } }) : levels;
  const shape = preprocessing.meanImage === undefined ? [channels, 1, 1] : [channels, ...preprocessing.size];
  const centred = graph.node("Sub", [planes, graph.constant("mean", shape, () => meanLevels(preprocessing))]);
  const scales = () => Float32Array.from(mean, (_, c) => 1 / (255 * (deviation[c] as number)));
  return graph.node("Mul", [centred, graph.constant("scale", [channels, 1, 1], scales)]);
}

/** What is subtracted of each level: one number a channel, or one a pixel. */
function meanLevels(preprocessing: Preprocessing): Float32Array {
  const { mean, meanImage, fit } = preprocessing;
  const colours = mean.map((m) => 255 * m);
  if (meanImage === undefined) return Float32Array.from(colours);
  const [height, width] = preprocessing.size;
  const frame = frameSizeOf(fit, { height, width });
  const levels = Buffer.from(meanImage, "base64");
  if (!frame || levels.length !== colours.length * frame.height * frame.width) {
    throw new ConfigError("preprocessing: the mean image has another size than what the fit keeps");
  }
  return Float32Array.from(colours.flatMap((colour, c) => centrePlane(levels, c, colour, frame, preprocessing)));
}

function centrePlane(levels: Buffer, channel: number, added: number, frame: PixelSize, { fit, size }: Preprocessing) {
  const [height, width] = size;
  const { window } = placementOf(fit, { height, width }, frame);
  const values: number[] = [];
  for (let y = 0; y < window.height; y++) {
    const row = (channel * frame.height + window.top + y) * frame.width + window.left;
    for (let x = 0; x < window.width; x++) values.push(added + (levels[row + x] as number));
  }
  return values;
}

/** Images from files and the camera, decoded by the browser. */
import type { RawImage } from "../image/rawImage.ts";
import { h } from "./dom.ts";
import { t } from "./language.ts";

/** Most pixels of an image to classify: its levels take four bytes each. */
const MAX_PIXELS = 50e6;

/** Longest side of an image that is kept for training. */
export const KEPT_SIDE = 256;

/**
 * Decodes a file: the levels as stored, without a colour profile; alpha on white. With `side`, a larger image is reduced to that side.
 *
 * Throws Error with a sentence for the reader if it is not an image or too large.
 */
export async function decodeImage(file: Blob & { readonly name?: string }, side?: number): Promise<RawImage> {
  const name = file.name ?? "image";
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    throw new Error(t("notImage", { name }));
  }
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) {
      throw new Error(t("hugeImage", { name, width, height, limit: MAX_PIXELS / 1e6 }));
    }
    return pixelsOf(bitmap, { width, height }, side);
  } finally {
    bitmap.close();
  }
}

/** The frame that a video shows. */
export function frameOf(video: HTMLVideoElement, side?: number): RawImage {
  return pixelsOf(video, { width: video.videoWidth, height: video.videoHeight }, side);
}

function pixelsOf(
  source: CanvasImageSource,
  { width, height }: { readonly width: number; readonly height: number },
  side = Number.POSITIVE_INFINITY,
): RawImage {
  const scale = Math.min(1, side / Math.max(width, height));
  const size = { width: Math.max(1, Math.round(scale * width)), height: Math.max(1, Math.round(scale * height)) };
  const canvas = h("canvas", size);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error(t("failed", { problem: "canvas" }));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size.width, size.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, size.width, size.height);
  const levels = context.getImageData(0, 0, size.width, size.height).data;
  return { ...size, channels: 3, data: opaque(levels) };
}

/** The levels of red, green and blue. */
function opaque(levels: Uint8ClampedArray): Uint8Array {
  const data = new Uint8Array((levels.length / 4) * 3);
  for (let from = 0, to = 0; from < levels.length; from += 4) {
    data[to++] = levels[from] as number;
    data[to++] = levels[from + 1] as number;
    data[to++] = levels[from + 2] as number;
  }
  return data;
}

/** A camera in use. */
export interface Camera {
  readonly video: HTMLVideoElement;
  stop(): void;
}

/** Starts the camera. Throws Error with a sentence for the reader if there is none, or its use is refused. */
export async function startCamera(): Promise<Camera> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    const video = h("video", { autoplay: true, playsinline: true, muted: true });
    video.srcObject = stream;
    await video.play();
    return {
      video,
      stop() {
        for (const track of stream.getTracks()) track.stop();
        video.remove();
      },
    };
  } catch (error) {
    throw new Error(t("noCamera", { problem: error instanceof Error ? error.message : String(error) }));
  }
}

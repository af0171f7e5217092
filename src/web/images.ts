/** Images from files and the camera, decoded by the browser. */
import type { RawImage } from "../image/rawImage.ts";
import { h } from "./dom.ts";
import { t } from "./language.ts";

/** Maximum number of pixels of an image to classify. */
const MAX_PIXELS = 50e6;

/** Sides of a canvas that every browser can read back: Safari on iOS allows 4096² pixels, and a larger canvas is transparent black without an error. */
const CANVAS_SIDE = 4096;

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
  const part = { width: Math.min(CANVAS_SIDE, size.width), height: Math.min(CANVAS_SIDE, size.height) };
  const context = h("canvas", part).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error(t("failed", { problem: "canvas" }));
  context.fillStyle = "#fff";
  context.imageSmoothingQuality = "high";
  const image = { ...size, data: new Uint8Array(3 * size.width * size.height) };
  for (let top = 0; top < size.height; top += part.height) {
    for (let left = 0; left < size.width; left += part.width) {
      context.fillRect(0, 0, part.width, part.height);
      context.drawImage(source, -left, -top, size.width, size.height);
      copyLevels(context.getImageData(0, 0, part.width, part.height), image, { left, top });
    }
  }
  return { ...image, channels: 3 };
}

/** Copies red, green and blue of a part of an image to its place. */
function copyLevels(
  part: ImageData,
  { width, height, data }: { readonly width: number; readonly height: number; readonly data: Uint8Array },
  { left, top }: { readonly left: number; readonly top: number },
): void {
  const columns = Math.min(part.width, width - left);
  for (let y = 0; y < Math.min(part.height, height - top); y++) {
    let to = 3 * ((top + y) * width + left);
    const end = 4 * (y * part.width + columns);
    for (let from = 4 * y * part.width; from < end; from += 4) {
      data[to++] = part.data[from] as number;
      data[to++] = part.data[from + 1] as number;
      data[to++] = part.data[from + 2] as number;
    }
  }
}

/** A camera in use. */
export interface Camera {
  readonly video: HTMLVideoElement;
  stop(): void;
}

/** Starts the camera. Throws Error with a sentence for the reader if there is none, or its use is refused. */
export async function startCamera(): Promise<Camera> {
  // Missing in pages by plain http.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new Error(t("noCamera", { problem: t("needsSecureContext") }));
  try {
    const stream = await devices.getUserMedia({ video: { width: 640, height: 480 } });
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

/** 8-bit images, rectangles, and the luma of a pixel. */

/** An image with 8 bits per channel, in row-major order from the top with interleaved channels (height × width × channels). */
export interface Image extends PixelSize {
  /** 1: grey. 3: red, green, blue. */
  readonly channels: 1 | 3;
  /** height × width × channels levels from 0 (black) to 255 (white). */
  readonly data: Uint8Array;
}

/** Size of an image in pixels. */
export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** A rectangle in an image, in pixels. */
export interface Rectangle extends PixelSize {
  readonly left: number;
  readonly top: number;
}

/** The rectangle of a whole image. */
export function wholeOf({ width, height }: PixelSize): Rectangle {
  return { left: 0, top: 0, width, height };
}

/** True if both have the same width and height. */
export function isSameSize(a: PixelSize, b: PixelSize): boolean {
  return a.width === b.width && a.height === b.height;
}

/** Luma weights of red, green and blue. Source: ITU-R BT.601. */
export const lumaWeights = [0.299, 0.587, 0.114] as const;

/** Luma of 8-bit levels: `lumaWeights` in 16-bit fixed point. Source: Pillow, src/libImaging/Convert.c, L24. */
export function lumaOf(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

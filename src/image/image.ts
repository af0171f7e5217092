/** A picture: 8 bits a channel, rows from the top, channels of a pixel side by side (height × width × channels). */
export interface Image extends PixelSize {
  /** 1: grey. 3: red, green, blue. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Extent of a picture in pixels. */
export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** A part of a picture, in its pixels. */
export interface Rectangle extends PixelSize {
  readonly left: number;
  readonly top: number;
}

/** All of a picture. */
export function wholeOf({ width, height }: PixelSize): Rectangle {
  return { left: 0, top: 0, width, height };
}

/** Whether two have the same width and height. */
export function isSameSize(a: PixelSize, b: PixelSize): boolean {
  return a.width === b.width && a.height === b.height;
}

/** A picture: 8 bits a channel, rows from the top, channels of a pixel side by side (height × width × channels). */
export interface Image {
  readonly width: number;
  readonly height: number;
  /** 1: grey. 3: red, green, blue. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Shares of red, green and blue. Source: ITU-R BT.601. */
export const lumaWeights = [0.299, 0.587, 0.114] as const;

/** Luma of 8-bit levels: `lumaWeights` in 16-bit fixed point. Source: Pillow, src/libImaging/Convert.c, L24. */
export function lumaOf(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

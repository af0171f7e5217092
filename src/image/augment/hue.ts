/** Turns the hue of pixels in place: to 8-bit HSV, `turn` of 256 steps further round, and back. `turn` may be negative. */
export type HueTurner = (rgb: Uint8Array, turn: number) => void;

/** The circle's sixths, each with an order of red, green and blue: which has the most, which the least. */
const most = Uint8Array.of(0, 1, 1, 2, 2, 0);
const least = Uint8Array.of(2, 2, 0, 0, 1, 1);

/** All that arithmetic on levels gives, computed once: a division a pixel is slow. */
interface Tables {
  /** `hues[sixth << 16 | range << 8 | third]`: of pixels whose levels range over so much, the third so far from the most. */
  readonly hues: Uint8Array;
  /** `saturations[range << 8 | value]`, on the scale of 0 to 1: of pixels with that largest level. */
  readonly saturations: Float32Array;
  /** By hue: its sixth. */
  readonly sixths: Uint8Array;
  /** By hue: how far the third channel is from the most, on the way to the least. */
  readonly ways: Float64Array;
}

/**
 * Makes a turner equal to Pillow and torchvision to the bit, the float32 steps of the one and the wrap at 256 of the other
 * included. As there, even a turn by 0 moves colours a little: hue has 8 bits.
 *
 * Source: Pillow, src/libImaging/Convert.c, rgb2hsv_row and hsv2rgb; torchvision, functional_pil.adjust_hue.
 */
export function createHueTurner(): HueTurner {
  const { hues, saturations, sixths, ways } = createTables();
  return (rgb, turn) => {
    const { length } = rgb;
    for (let i = 0; i < length; i += 3) {
      const red = rgb[i] as number;
      const green = rgb[i + 1] as number;
      const blue = rgb[i + 2] as number;
      let before = 0;
      if (red >= green) before = green >= blue ? 0 : red >= blue ? 5 : 4;
      else before = red >= blue ? 1 : green >= blue ? 2 : 3;
      const [high, low] = [most[before] as number, least[before] as number];
      const value = rgb[i + high] as number;
      const range = value - (rgb[i + low] as number);
      if (range === 0) continue;
      const third = value - (rgb[i + 3 - high - low] as number);
      const hue = ((hues[(before << 16) | (range << 8) | third] as number) + turn) & 255;
      const saturation = saturations[(range << 8) | value] as number;
      const after = sixths[hue] as number;
      const [newHigh, newLow] = [most[after] as number, least[after] as number];
      rgb[i + newHigh] = value;
      rgb[i + newLow] = (value * (1 - saturation) + 0.5) | 0;
      rgb[i + 3 - newHigh - newLow] = (value * (1 - saturation * (ways[hue] as number)) + 0.5) | 0;
    }
  };
}

function createTables(): Tables {
  const hues = new Uint8Array(6 << 16);
  const saturations = new Float32Array(1 << 16);
  const [sixths, ways] = [new Uint8Array(256), new Float64Array(256)];
  for (let hue = 0; hue < 256; hue++) {
    const sixth = Math.floor((hue * 6) / 255);
    const fraction = Math.fround((hue * 6) / 255 - sixth);
    sixths[hue] = sixth % 6;
    ways[hue] = sixth % 2 === 1 ? fraction : 1 - fraction;
  }
  for (let range = 1; range < 256; range++) {
    for (let value = range; value < 256; value++) {
      saturations[(range << 8) | value] = Math.trunc(Math.fround(range / value) * 255) / 255;
    }
    for (let third = 0; third <= range; third++) {
      const share = Math.fround(third / range);
      for (let sixth = 0; sixth < 6; sixth++) hues[(sixth << 16) | (range << 8) | third] = hueOf(sixth, share);
    }
  }
  return { hues, saturations, sixths, ways };
}

/** 0 … 255. `share` is how far the third channel is from the most. Pillow's terms, those written out that are 0 or 1 because of the order. */
function hueOf(sixth: number, share: number): number {
  const start = sixth === 5 ? -1 : sixth;
  const position = Math.fround(sixth % 2 === 0 ? start + 1 - share : start + share);
  const turns = position / 6 + 1;
  return Math.trunc(Math.fround(turns >= 1 ? turns - 1 : turns) * 255);
}

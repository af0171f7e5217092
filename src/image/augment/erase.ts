/** A random rectangle to erase. */
import type { PixelSize, Rectangle } from "../image.ts";
import type { Draw } from "../prepare/fit.ts";

/** Share of the area, and shape, that a rectangle has. Source: Zhong et al. 2017, §5.2, as torchvision's RandomErasing has it. */
const area = { low: 0.02, high: 0.33 } as const;
const shape = { low: Math.log(0.3), high: Math.log(3.3) } as const;
const ATTEMPTS = 10;

/** A random rectangle to erase, or undefined if none fits. */
export function eraseRectangle(size: PixelSize, draw: Draw): Rectangle | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const pixels = size.width * size.height * (area.low + draw() * (area.high - area.low));
    const ratio = Math.exp(shape.low + draw() * (shape.high - shape.low));
    const height = Math.round(Math.sqrt(pixels * ratio));
    const width = Math.round(Math.sqrt(pixels / ratio));
    if (height >= size.height || width >= size.width || height < 1 || width < 1) continue;
    const top = Math.floor(draw() * (size.height - height + 1));
    const left = Math.floor(draw() * (size.width - width + 1));
    return { left, top, width, height };
  }
  return undefined;
}

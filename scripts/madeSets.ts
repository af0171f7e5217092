/**
 * Writes made images as PNG files in class folders under train/ and test/, for studies without a real data set.
 * `node --import tsx scripts/madeSets.ts ellipses|gratings FOLDER [--train N] [--test N]`. The numbers are those of all images together.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeMadeImages } from "../src/experiments/madeImages.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { fillUniform, randomStream } from "../src/random.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { train: { type: "string", default: "2000" }, test: { type: "string", default: "600" } },
});
const [name, folder] = positionals;
const counts = { train: Number(values.train), test: Number(values.test) };
const writers: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  ellipses: (to) => writeMadeImages(to, counts),
  gratings: writeGratings,
};
const write = writers[name ?? ""];
if (!write || folder === undefined) throw new Error(`expected ${Object.keys(writers).join(" or ")}, and FOLDER`);
await write(folder);

/** Sine gratings on noise: eight directions are the classes; wavelength, phase and contrast vary. */
async function writeGratings(to: string): Promise<void> {
  const directions = 8;
  const side = 32;
  for (const part of ["train", "test"] as const) {
    for (let d = 0; d < directions; d++) await mkdir(join(to, part, `direction${d}`), { recursive: true });
    for (let i = 0; i < counts[part]; i++) {
      const d = i % directions;
      const [wave = 0, phase = 0, contrast = 0] = uniforms(`grating ${part}`, i, 3);
      const noise = uniforms(`noise ${part}`, i, side * side);
      const frequency = (2 * Math.PI) / (3 + 5 * wave);
      const angle = (Math.PI * d) / directions;
      const data = Uint8Array.from(noise, (value, p) => {
        const along = (p % side) * Math.cos(angle) + Math.floor(p / side) * Math.sin(angle);
        return 128 + (8 + 24 * contrast) * Math.sin(frequency * along + 2 * Math.PI * phase) + 90 * (value - 0.5);
      });
      const png = await encodePng({ width: side, height: side, channels: 1, data });
      await writeFile(join(to, part, `direction${d}`, `${String(i).padStart(5, "0")}.png`), png);
    }
  }
}

function uniforms(purpose: string, i: number, length: number): Float64Array {
  const values = new Float64Array(length);
  fillUniform(randomStream(0, purpose), i, values);
  return values;
}

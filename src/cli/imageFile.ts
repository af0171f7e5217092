/** Writes the image files of commands. */
import { extname } from "node:path";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { ConfigError } from "../errors.ts";
import { toPng } from "../report/figures/png.ts";

/** Throws ConfigError unless the file's name ends in one of these, such as `.png`. For before any work is done. */
export function requireEnding(file: string, endings: readonly string[]): void {
  if (endings.includes(extname(file).toLowerCase())) return;
  throw new ConfigError(`${file}: expected a name that ends in ${endings.join(" or ")}`);
}

/** Writes a drawing whole or not at all: as it is to a name in `.svg`, as pixels to one in `.png`. */
export async function writeDrawing(file: string, svg: string): Promise<void> {
  await writeFileDurably(file, extname(file).toLowerCase() === ".svg" ? svg : toPng(svg));
}

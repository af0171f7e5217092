/** Writes a network as an ONNX file. */
import { open } from "node:fs/promises";
import type { Network } from "../../network/network.ts";
import type { OnnxOptions } from "./describe.ts";
import { type ReadParameter, writeOnnx } from "./writeOnnx.ts";

/** Writes and syncs `writeOnnx`'s file at a path. */
export async function writeOnnxFile(
  path: string,
  network: Network,
  read: ReadParameter,
  options: OnnxOptions,
): Promise<void> {
  const file = writeOnnx(network, read, options);
  const handle = await open(path, "w");
  try {
    for await (const chunk of file.chunks) await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

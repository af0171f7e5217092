/** Safetensors as a format. */
import type { ModelFile, ModelFormat } from "./format.ts";

/**
 * Weights as other programs take them, by `safetensors.torch.load_file`. What this program adds (network, classes, preprocessing) stands in the metadata, so a
 * file that it wrote needs nothing else to be read again.
 */
export const safetensorsFormat: ModelFormat = {
  name: "safetensors",
  description: "weights and their description, f32; PyTorch reads it with the package safetensors",
  endings: [".safetensors"],
  async write(path, model, weights) {
    const { encodeModel } = await import("../checkpoint/metadata.ts");
    const { writeSafetensors } = await import("../checkpoint/safetensorsWriter.ts");
    // Some programs of Python's want to be told whose tensors these are: PyTorch's.
    await writeSafetensors(path, { format: "pt", ...encodeModel(model, 0) }, weights);
  },
  async read(path): Promise<ModelFile> {
    const { decodeModel } = await import("../checkpoint/metadata.ts");
    const { openSafetensors } = await import("../checkpoint/safetensorsReader.ts");
    const reader = await openSafetensors(path);
    try {
      await reader.verify();
      const isOwn = reader.header.metadata["formatVersion"] !== undefined;
      const { tensors } = reader;
      const weights = { tensors, read: (name: string, into: Float32Array) => reader.read(name, into) };
      return { path, weights, ...(isOwn ? decodeModel(reader) : {}), close: () => reader.close() };
    } catch (error) {
      await reader.close();
      throw error;
    }
  },
};

/** PyTorch's files as a format. */
import type { ModelFormat } from "../format.ts";

/** A state dict, as `torch.load(FILE, weights_only=True)` reads it; read from any checkpoint with one in it. */
export const pytorchFormat: ModelFormat = {
  name: "pytorch",
  description: "a state dict, f32, for torch.load and load_state_dict",
  endings: [".pth", ".pt", ".bin"],
  async write(path, _model, weights) {
    const { writePytorch } = await import("./writePytorch.ts");
    await writePytorch(path, weights);
  },
  async read(path) {
    const { openBytes } = await import("../containers/byteSource.ts");
    const { readPytorch } = await import("./readPytorch.ts");
    const source = await openBytes(path);
    try {
      const { tensors, read } = await readPytorch(source);
      return { path, weights: { tensors, read }, close: () => source.close() };
    } catch (error) {
      await source.close();
      throw error;
    }
  },
};

/** Caffe's files as a format. */
import type { ModelFormat } from "../format.ts";

/** Caffe's trained networks, such as those of its model zoo: read only. Pictures are prepared as Caffe's own programs do it. */
export const caffeFormat: ModelFormat = {
  name: "caffe",
  description: "a .caffemodel of BVLC Caffe",
  endings: [".caffemodel"],
  async read(path) {
    const { readCaffeFile } = await import("./readCaffe.ts");
    const { importedFile } = await import("../importedFile.ts");
    return importedFile(path, await readCaffeFile(path));
  },
};

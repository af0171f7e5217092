/** Folder of Debian's Fashion-MNIST files on this machine: of the system, or of `alexnet setup`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { userCache } from "../src/userCache.ts";

const places = ["/usr/share/datasets/fashion-mnist", join(userCache(), "fashion-mnist")];

/** The system's place if neither has them. */
export const fashionMnistFolder: string =
  places.find((place) => existsSync(join(place, "train-images-idx3-ubyte.gz"))) ?? (places[0] as string);

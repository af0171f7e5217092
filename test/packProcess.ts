/** A process for tests to kill, starve and race: `node --import tsx test/packProcess.ts ROOT CACHE COUNT`. Packs `0.png` and so on. */
import { packListing } from "../src/dataset/pack/pack.ts";
import { digestOf, listingOf } from "./packPictures.ts";

const [, , root = "", cacheDir = "", count = ""] = process.argv;
const paths = Array.from({ length: Number(count) }, (_, i) => `${i}.png`);
try {
  const packed = await packListing(listingOf(root, paths), {
    fitting: { size: [8, 8], channels: 3, fit: { kind: "native" }, resize: "bilinear" },
    cacheDir,
    onProgress: (done) => console.log(`progress ${done}`),
    onMessage: (message) => console.log(`message ${message}`),
  });
  console.log(`digest ${digestOf(packed.train, packed.test)}`);
  await packed.close();
} catch (error) {
  console.log(String(error));
}

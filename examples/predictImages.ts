/** Predicts from the bytes of an image file, from a Blob, from raw pixels, and from a path: `predictImages.ts RUN PHOTO`. */
import { readFile } from "node:fs/promises";
import { openClassifier, readImage } from "alexnet";

const [run = "runs/photos", photo = "photo.jpg"] = process.argv.slice(2);
const classifier = await openClassifier(run);

// An upload: the bytes of an image file.
const bytes = new Uint8Array(await readFile(photo));
const pixels = await readImage(bytes);
const inputs = { path: photo, bytes, blob: new Blob([bytes]), pixels };

for (const [kind, image] of Object.entries(inputs)) {
  const [best] = await classifier.predict(image);
  console.log(`${kind}: ${best?.className} ${best?.probability.toFixed(3)}`);
}
await classifier.close();

/** Evaluates a trained network in code: the confusion matrix and the figures of each class as data: `evaluate.ts RUN DATASET`. */
import { openClassifier } from "alexnet";

const [run = "runs/photos", dataset = "photos"] = process.argv.slice(2);
const classifier = await openClassifier(run);
const evaluation = await classifier.evaluate({
  dataset,
  onProgress: (images, of) => console.log(`${images} of ${of}`),
});
if (!evaluation) throw new Error("aborted");

console.log(`accuracy ${evaluation.top1Accuracy}, loss ${evaluation.loss.toFixed(2)}`);
for (const { className, images, precision, recall } of evaluation.perClass) {
  console.log(`${className}: ${images} images, precision ${precision ?? "–"}, recall ${recall ?? "–"}`);
}
// Rows are classes, columns the classes predicted.
for (const row of evaluation.confusion) console.log(row.join(" "));
await classifier.close();

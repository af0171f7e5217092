/** Label smoothing, class weights, mixed labels and soft targets are torch.nn.CrossEntropyLoss (scripts/golden/loss.py made the golden). */
import { it } from "node:test";
import { flatten } from "../src/layers/kinds.ts";
import { writeTargets } from "../src/training/objective/targets.ts";
import { assertClose } from "./assertClose.ts";
import { need, noDraws, readGradients } from "./chains.ts";
import { describeEngines, keptWithin, withProgram } from "./conformance/compare.ts";
import { readGolden } from "./golden.ts";

interface Golden {
  readonly classes: number;
  readonly lambda: number;
  readonly partners: readonly number[];
  /** [labels, classes], as are soft targets and gradients. */
  readonly logits: readonly number[];
  readonly labels: readonly number[];
  readonly weights: readonly number[];
  readonly soft: readonly number[];
  readonly cases: readonly {
    readonly of: "labels" | "mixed" | "soft";
    readonly labelSmoothing: number;
    readonly weighted: boolean;
    readonly loss: number;
    readonly gradient: readonly number[];
  }[];
}

const golden = await readGolden<Golden>("loss");
const { classes, labels, partners, logits } = golden;

/** The targets of a case; NaN where nobody wrote. */
function targetsOf({ of, labelSmoothing, weighted }: Golden["cases"][number]): Float32Array {
  const classWeights = weighted ? golden.weights : new Array<number>(classes).fill(1);
  if (of === "soft") {
    // PyTorch's own definition for distributions: smoothed, weighted by class, divided by the number of images.
    const smooth = (t: number) => (1 - labelSmoothing) * t + labelSmoothing / classes;
    return Float32Array.from(golden.soft, (t, i) => (classWeights[i % classes] as number) * smooth(t));
  }
  const targets = new Float32Array(labels.length * classes).fill(Number.NaN);
  const mixed = { lambda: golden.lambda, labels: partners.map((partner) => labels[partner] as number) };
  writeTargets({ labelSmoothing, classWeights }, labels, labels.length, of === "mixed" ? mixed : undefined, targets);
  return targets;
}

describeEngines("loss = PyTorch", (engine) => {
  const chain = { input: [classes, 1, 1] as const, layers: [flatten("flatten")], batchSize: labels.length };
  for (const given of golden.cases) {
    const { of, labelSmoothing, weighted } = given;
    it(`of ${of}, label smoothing ${labelSmoothing}${weighted ? ", class weights" : ""}`, async () => {
      await withProgram(engine, chain, async (program) => {
        const { loss } = await program.forwardBackward(
          Float32Array.from(logits),
          targetsOf(given),
          labels.length,
          noDraws,
        );
        // Targets are f32: 6e-8 of numbers of size 1.
        assertClose([loss], [given.loss], { relative: 1e-6 }, "loss");
        const gradient = need(await readGradients(program), "input");
        assertClose(gradient, given.gradient, keptWithin(engine, { absolute: 1e-6 }), "gradient");
      });
    });
  }
});

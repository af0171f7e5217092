/** The ONNX project's models give their recorded outputs. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { AlexNetError } from "../src/errors.ts";
import { assertClose } from "./assertClose.ts";
import { computeImported, endsInLogarithm, onnxCases, readCase } from "./onnxCases.ts";
import { caseTable } from "./onnxCaseTable.ts";

/** Those that the ONNX project compares with. */
const TOLERANCE = { relative: 1e-3, absolute: 1e-7 };

describe("the ONNX project's models of one operator", async () => {
  const cases = await onnxCases();
  const engines = { reference: createReferenceEngine, oneDNN: createOneDnnEngine };
  for (const each of cases) {
    const model = readCase(each);
    if (model instanceof AlexNetError) continue;
    for (const [name, create] of Object.entries(engines)) {
      it(`give the recorded output: ${each.name}, ${name}`, async () => {
        const { input, output } = each;
        assert.ok(input && output, "a model that is read needs its tensors in the golden");
        const actual = await computeImported(create(), model, input.floats(), input.shape[0] ?? 1);
        const recorded = output.floats();
        assertClose(actual, endsInLogarithm(each) ? recorded.map(Math.exp) : recorded, TOLERANCE, each.name);
      });
    }
  }

  it("or are refused by operator and attribute, as docs/interop-onnx.md says", async () => {
    const docs = await readFile(new URL("../docs/interop-onnx.md", import.meta.url), "utf8");
    const table = caseTable(cases);
    assert.ok(
      docs.includes(table),
      "docs/interop-onnx.md is not as generated; run node --import tsx scripts/onnxTable.ts",
    );
  });
});

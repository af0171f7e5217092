/** The table of docs/interop-onnx.md: which of the ONNX project's models are read, and why others are not. */
import { AlexNetError } from "../src/errors.ts";
import { endsInLogarithm, type OnnxCase, readCase } from "./onnxCases.ts";

export function caseTable(cases: readonly OnnxCase[]): string {
  const rows = cases.map((each) => {
    const read = readCase(each);
    return [`\`${each.name}\``, read instanceof AlexNetError ? reason(each, read.message) : outcome(each)];
  });
  const lines = [["model", "result"], ["---", "---"], ...rows].map(([name, result]) => `| ${name} | ${result} |`);
  return lines.join("\n");
}

function outcome(each: OnnxCase): string {
  return endsInLogarithm(each) ? "its softmax, of which the recorded output is the logarithm" : "recorded output";
}

function reason({ name }: OnnxCase, message: string): string {
  const text = message
    .replace(`${name}: `, "")
    .replace(/; expected one of .*/, "")
    .replaceAll("|", "\\|");
  return `refused: ${text}`;
}

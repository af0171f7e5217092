/** Rewrites the table of docs/interop-onnx.md: the ONNX project's models of one operator, and whether each can be read. */
import { readFileSync, writeFileSync } from "node:fs";
import { onnxCases } from "../test/onnxCases.ts";
import { caseTable } from "../test/onnxCaseTable.ts";

const docs = new URL("../docs/interop-onnx.md", import.meta.url);
const text = readFileSync(docs, "utf8");
const start = text.indexOf("| model | result |");
if (start < 0) throw new Error("docs/interop-onnx.md: no table to replace");
writeFileSync(docs, `${text.slice(0, start)}${caseTable(await onnxCases())}\n`);

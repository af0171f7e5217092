/** Labels of a table that other programs may have changed, or that are equal in a way that people may not expect. */
import { quotedName } from "../folder/classNames.ts";
import type { SkippedFile } from "../folder/skippedFile.ts";

/** Texts that spreadsheets make of names such as MARCH1 or 3-4. */
const date =
  /^(?:\d{1,2}[-/. ](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?:[-/. ]\d{2,4})?|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-/. ]\d{1,4}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ T][\d:.]+)?)$/i;
/** Numbers in the form of spreadsheets and pandas: 1.0, 1E+05. */
const changedNumber = /^[+-]?\d+(?:\.0+|(?:\.\d+)?e[+-]?\d+)$/i;
/** Texts that pandas reads as missing by default. Source: pandas.read_csv, `na_values`. */
const missing = /^(?:#N\/A|N\/A|NA|<NA>|NaN|-NaN|nan|-nan|NULL|null|None|n\/a)$/;

/** Findings about distinct labels, each with the place of its first row. */
export function labelFindings(
  labels: ReadonlyMap<string, { readonly name: string; readonly first: string }>,
): readonly SkippedFile[] {
  const byNumber = new Map<number, string[]>();
  const found: SkippedFile[] = [];
  for (const { name, first } of labels.values()) {
    const text = name.trim();
    const report = (detail: string) =>
      found.push({ path: first, reason: "changedLabel", detail: `label ${quotedName(name)}: ${detail}` });
    if (date.test(text)) report("a date; spreadsheets turn names such as MARCH1 into dates");
    else if (changedNumber.test(text)) report("a number that a program may have written for a name or a whole number");
    else if (missing.test(text)) report("a class here; other programs read it as missing");
    if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) {
      const same = byNumber.get(Number(text));
      if (same) {
        same.push(name);
        found.push({ path: first, reason: "sameNumber", detail: `labels ${same.map(quotedName).join(", ")}` });
      } else byNumber.set(Number(text), [name]);
    }
  }
  return found;
}

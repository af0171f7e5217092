/** Text output of `verify --gradients`. */
import { formatCount } from "../numbers.ts";
import { formatTable } from "./terminal.ts";

/** A row: the element of a parameter that differs most. */
export interface GradientRow {
  readonly parameter: string;
  readonly checked: number;
  readonly position: readonly number[];
  readonly computed: number;
  readonly expected: number;
  readonly relativeDifference: number;
}

/** Formats one line per parameter. */
export function formatGradients(rows: readonly GradientRow[]): string {
  return formatTable(
    [
      { heading: "Parameter", align: "left", shrinks: true },
      { heading: "Compared", align: "right" },
      { heading: "Worst", align: "left" },
      { heading: "Gradient", align: "right" },
      { heading: "Finite diff.", align: "right" },
      { heading: "Relative", align: "right" },
    ],
    rows.map(({ parameter, checked, position, computed, expected, relativeDifference }) => [
      parameter,
      formatCount(checked),
      `[${position.join(", ")}]`,
      computed.toExponential(3),
      expected.toExponential(3),
      relativeDifference.toExponential(1),
    ]),
  );
}

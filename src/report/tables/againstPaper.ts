/** Comparison of a network with the paper's figures. */
import type { NetworkSummary } from "../../network/summary.ts";
import type { Section } from "./sections.ts";

/** What the paper prints beside what is here, with the known traps explained; nothing for networks that are not the paper's. */
export function paperSection({ againstPaper }: NetworkSummary): readonly Section[] {
  if (againstPaper.length === 0) return [];
  return [
    {
      title: "Against the paper",
      columns: [
        { heading: "Figure", align: "left" },
        { heading: "Printed in", align: "left" },
        { heading: "Printed", align: "right" },
        { heading: "Here", align: "right" },
      ],
      rows: againstPaper.map(({ what, where, published, here }) => [what, where, published, here]),
      notes: againstPaper.flatMap(({ what, note }) => (note === "" ? [] : [`- ${what}: ${note}`])),
    },
  ];
}

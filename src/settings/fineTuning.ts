/** What a run takes from a weights file, as data: it is part of config.json. */
import * as z from "zod";

/** How a run that begins with another's weights was started. */
export const fineTuningSchema = z.object({
  /** What was given, and the weights file that it stood for, both absolute. */
  from: z.string(),
  file: z.string(),
  /** SHA-256 by which the file is known. */
  checksum: z.string(),
  /** Layers whose weights are the file's. */
  taken: z.array(z.string()),
  /** Layers that begin anew, each with the reason. */
  fresh: z.array(z.object({ layer: z.string(), reason: z.string() })),
  /** Layers that are not trained. */
  frozen: z.array(z.string()),
  /** Factor on the learning rate of layers that are taken and trained. */
  oldLayersRate: z.number(),
  /**
   * Of how many views of each training picture the frozen layers' output is kept: 1 is the view of evaluation, more are random ones, 0 is none:
   * then it is computed in every step.
   */
  keptViews: z.int().nonnegative(),
});

/** Plain JSON. */
export type FineTuning = z.infer<typeof fineTuningSchema>;

/** Which layers came from where and what is trained, for people: what, and its value. */
export function describeFineTuning(tuning: FineTuning): readonly (readonly [what: string, value: string])[] {
  const { file, checksum, taken, fresh, frozen, oldLayersRate, keptViews } = tuning;
  const views = keptViews === 1 ? "once for each picture" : `once for each of ${keptViews} random views of a picture`;
  const computed = keptViews === 0 ? "computed in every step" : `computed ${views}, and kept`;
  const trained = taken.filter((layer) => !frozen.includes(layer));
  return [
    ["weights from", `${file} (SHA-256 ${checksum.slice(0, 12)}…)`],
    ["taken", taken.join(", ")],
    ["new", fresh.map(({ layer, reason }) => `${layer} (${reason})`).join(", ") || "none"],
    ["frozen", frozen.length === 0 ? "none" : `${frozen.join(", ")}; ${computed}`],
    ...(trained.length > 0 ? [["rate of old layers", `${oldLayersRate} of that of new ones`] as const] : []),
  ];
}

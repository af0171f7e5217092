/** Initialization of a run from pretrained weights, as stored in config.json. */
import * as z from "zod";

/** Initialization of a run from another model's weights. */
export const fineTuningSchema = z.object({
  /** Given path, and the weights file that it resolved to; both absolute. */
  from: z.string(),
  file: z.string(),
  /** SHA-256 that identifies the file. */
  checksum: z.string(),
  /** Layers initialised from the file. */
  taken: z.array(z.string()),
  /** Layers initialised from scratch, each with the reason. */
  fresh: z.array(z.object({ layer: z.string(), reason: z.string() })),
  /** Layers that are not trained. */
  frozen: z.array(z.string()),
  /** Learning rate factor of initialised layers that are trained. */
  oldLayersRate: z.number(),
  /**
   * Number of views of each training image to cache the frozen layers' output for: 1 for the view of evaluation, more for random views, 0 to compute
   * the output in every step.
   */
  keptViews: z.int().nonnegative(),
});

/** Plain JSON. */
export type FineTuning = z.infer<typeof fineTuningSchema>;

/** Description of the initialization: labels and values for people. */
export function describeFineTuning(tuning: FineTuning): readonly (readonly [what: string, value: string])[] {
  const { file, checksum, taken, fresh, frozen, oldLayersRate, keptViews } = tuning;
  const views = keptViews === 1 ? "once per image" : `once for each of ${keptViews} random views per image`;
  const computed = keptViews === 0 ? "computed in every step" : `computed ${views} and cached`;
  const trained = taken.filter((layer) => !frozen.includes(layer));
  return [
    ["weights from", `${file} (SHA-256 ${checksum.slice(0, 12)}…)`],
    ["initialised layers", taken.join(", ")],
    ["new layers", fresh.map(({ layer, reason }) => `${layer} (${reason})`).join(", ") || "none"],
    ["frozen layers", frozen.length === 0 ? "none" : `${frozen.join(", ")}; ${computed}`],
    ...(trained.length > 0 ? [["learning rate factor", `${oldLayersRate} for initialised layers`] as const] : []),
  ];
}

/** The values that the trials of a sweep try: every combination of a grid, or draws from intervals. */
import { z } from "zod";
import { fillUniform, randomStream } from "../random.ts";

/** Values to choose from. */
export const valuesSchema = z.array(z.json()).min(1);

/** Numbers to draw from, on a linear or a logarithmic scale. */
export const intervalSchema = z
  .strictObject({
    min: z.number(),
    max: z.number(),
    scale: z.enum(["linear", "log"]).default("linear"),
    /** Whole numbers only. */
    integer: z.boolean().default(false),
  })
  .refine(({ min, max }) => min < max, "expected min below max")
  .refine(({ min, scale }) => scale === "linear" || min > 0, "expected min above 0 for scale log");

/** The settings in which a trial differs, by their keys in the plan. */
export type TrialValues = Readonly<Record<string, z.infer<ReturnType<typeof z.json>>>>;

/** What trials are drawn from. */
export interface RandomSpace {
  readonly trials: number;
  readonly seed: number;
  readonly space: Readonly<Record<string, z.infer<typeof valuesSchema> | z.infer<typeof intervalSchema>>>;
}

/** Every combination of the values, the last key's changing first. */
export function gridValues(grid: Readonly<Record<string, z.infer<typeof valuesSchema>>>): readonly TrialValues[] {
  return Object.entries(grid).reduce<readonly TrialValues[]>(
    (made, [key, values]) => made.flatMap((trial) => values.map((value) => ({ ...trial, [key]: value }))),
    [{}],
  );
}

/** A value is a function of (seed, key, trial): more trials, or another key, leave the others as they are. */
export function randomValues({ trials, seed, space }: RandomSpace): readonly TrialValues[] {
  const draw = new Float64Array(1);
  return Array.from({ length: trials }, (_, trial) =>
    Object.fromEntries(
      Object.entries(space).map(([key, of]) => {
        fillUniform(randomStream(seed, `sweep:${key}`), trial, draw);
        return [
          key,
          Array.isArray(of) ? (of[Math.floor((draw[0] as number) * of.length)] ?? null) : within(of, draw[0] as number),
        ];
      }),
    ),
  );
}

/** The value at a share of an interval, to four digits: what is shown is what is trained. */
function within({ min, max, scale, integer }: z.infer<typeof intervalSchema>, share: number): number {
  const top = integer ? max + 1 : max;
  const value = scale === "log" ? min * (top / min) ** share : min + share * (top - min);
  return integer ? Math.min(Math.floor(value), max) : Math.min(Math.max(Number(value.toPrecision(4)), min), max);
}

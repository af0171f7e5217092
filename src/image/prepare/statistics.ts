/** Pixel mean and standard deviation given by users, on the scale of 0 to 1 or of 0 to 255. */
import { ConfigError } from "../../errors.ts";

/** One number per channel; undefined if not given. */
export interface PixelStatistics {
  readonly mean?: readonly number[] | undefined;
  readonly deviation?: readonly number[] | undefined;
}

/** Statistics on the scale of 0 to 1, with notes for the user. */
export interface UnitStatistics {
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
  readonly notes: readonly string[];
}

/** Scale of given numbers. `either`: equal or valid on both. */
type Scale = "unit" | "levels" | "either";

/**
 * Common deviations of levels are 10 or more (58.395, 127.5, 255); on the scale of 0 to 1 they are at most 1. Values between are invalid.
 */
const LEAST_LEVEL_DEVIATION = 10;
const MOST_LEVEL_DEVIATION = 256;

const remedy = "give both on the scale of 0 (black) to 1 (white), such as 0.485,0.456,0.406 and 0.229,0.224,0.225";

function scaleOfMean(mean: readonly number[]): Scale {
  if (mean.every((value) => value === 0)) return "either";
  if (mean.every((value) => value >= 0 && value <= 1)) return "unit";
  if (mean.every((value) => value === 0 || (value > 1 && value <= 255))) return "levels";
  throw new ConfigError(`mean: expected numbers from 0 to 1, or from 0 to 255, got ${mean.join(",")}; ${remedy}`);
}

function scaleOfDeviation(deviation: readonly number[]): Scale {
  if (deviation.every((value) => value === 1)) return "either";
  if (deviation.every((value) => value > 0 && value <= 1)) return "unit";
  if (deviation.every((value) => value >= LEAST_LEVEL_DEVIATION && value <= MOST_LEVEL_DEVIATION)) return "levels";
  throw new ConfigError(
    `deviation: expected numbers above 0 up to 1, or from ${LEAST_LEVEL_DEVIATION} to ${MOST_LEVEL_DEVIATION} for levels of 0 to 255, got ${deviation.join(",")}; ${remedy}`,
  );
}

/**
 * Converts given statistics to the scale of 0 to 1. A mean above 1 or a deviation of 10 or more implies the scale of 0 to 255 for both. A
 * deviation of 1 with such a mean leaves levels undivided, as in Caffe.
 *
 * Throws ConfigError for numbers on neither scale, or a mean and a deviation on different scales.
 */
export function unitStatistics({ mean, deviation }: PixelStatistics): UnitStatistics {
  const [ofMean, ofDeviation] = [mean && scaleOfMean(mean), deviation && scaleOfDeviation(deviation)];
  const scales = [ofMean, ofDeviation].filter((scale) => scale === "unit" || scale === "levels");
  if (mean && deviation && new Set(scales).size === 2) {
    throw new ConfigError(
      `mean ${mean.join(",")} and deviation ${deviation.join(",")}: expected one scale, got ${ofMean === "levels" ? "0 to 255 and 0 to 1" : "0 to 1 and 0 to 255"}; ${remedy}`,
    );
  }
  if (scales.includes("levels")) {
    const unit = { ...(mean && { mean: mean.map(toUnit) }), ...(deviation && { deviation: deviation.map(toUnit) }) };
    return {
      ...unit,
      notes: [`converted from the scale of 0 to 255: ${shown({ mean, deviation })} to ${shown(unit)}`],
    };
  }
  const isUnsaid = mean && deviation && scales.length === 0;
  const notes = isUnsaid
    ? ["mean 0 and deviation 1: inputs from 0 to 1; for inputs from 0 to 255 give --deviation 0.00392156862745"]
    : [];
  return { ...(mean && { mean }), ...(deviation && { deviation }), notes };
}

/** Rounds to twelve digits, so that 123.675 / 255 becomes the published 0.485. */
function toUnit(level: number): number {
  return Number((level / 255).toPrecision(12));
}

function shown(statistics: PixelStatistics): string {
  const parts = Object.entries(statistics).flatMap(([name, values]) => (values ? [`${name} ${values.join(",")}`] : []));
  return parts.join(", ");
}

/** Describes stored statistics that are not on the scale of 0 to 1; undefined if they are. */
export function statisticsProblem({ mean = [], deviation = [] }: PixelStatistics): string | undefined {
  const isLevels = mean.some((value) => value > 1) || deviation.some((value) => value >= LEAST_LEVEL_DEVIATION);
  if (!isLevels) return undefined;
  return `expected mean and deviation on the scale of 0 (black) to 1 (white), got ${shown({ mean, deviation })}; divide both by 255`;
}

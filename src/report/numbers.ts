/** Number formatting for the terminal and the report. */

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** `1,234,567`. */
export function formatCount(count: number): string {
  return grouped.format(count);
}

/** `87.8 %` of the fraction 0.878. */
export function formatPercent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

/** The error of an accuracy, so that both as they are shown sum to 100 %. */
export function formatError(accuracy: number): string {
  return formatPercent(1 - Number((100 * accuracy).toFixed(1)) / 100);
}

/** `1.2 points`: a difference of two fractions, in percentage points. */
export function formatPoints(difference: number): string {
  return `${(100 * difference).toFixed(1).replace("-", "−")} points`;
}

/** `0.330`. */
export function formatLoss(loss: number): string {
  return loss.toFixed(3);
}

/** Three digits below 100, whole numbers above: `8.25`, `52.3`, `3,942`. */
export function formatMagnitude(value: number): string {
  return value < 99.95 ? value.toPrecision(3) : formatCount(value);
}

/** `52.3 images/s`. */
export function formatRate(perSecond: number, unit: string): string {
  return `${formatMagnitude(perSecond)} ${unit}/s`;
}

/** `3`, `2.5`, `0.25`: epochs, with at most two decimals. */
export function formatEpoch(epoch: number): string {
  return String(Number(epoch.toFixed(2)));
}

/** `61.0 million`; below 100,000 the plain number: `44,426`. */
export function formatMillions(value: number): string {
  return value < 1e5 ? formatCount(value) : `${oneDecimal.format(value / 1e6)} million`;
}

/** `4.2 s`, `42 s`, `3 min 12 s`, `1 h 2 min`, `5 d 3 h`; `–` for an unknown (non-finite) time. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const wholeSeconds = Math.round(seconds);
  if (wholeSeconds < 60) return `${wholeSeconds} s`;
  if (wholeSeconds < 3600) return `${Math.floor(wholeSeconds / 60)} min ${wholeSeconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `not reached`, or `not reached in 1 of 3`: how many of the values are infinite; undefined if none is. */
export function formatUnreached(values: readonly number[]): string | undefined {
  const unreached = values.filter((value) => !Number.isFinite(value)).length;
  if (unreached === 0) return undefined;
  return unreached === values.length ? "not reached" : `not reached in ${unreached} of ${values.length}`;
}

/** Sizes in bytes: formatting, and the largest tensor. */

const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"] as const;
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** Decimal: `249 MB` is 249 million bytes. */
export function formatBytes(bytes: number): string {
  // 999,500 bytes round to 1.00 MB, not to 1,000 kB.
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes * 1.0005) / 3), units.length - 1);
  const scaled = bytes / 1000 ** power;
  const isSmall = power > 0 && scaled < 99.95;
  return `${isSmall ? scaled.toPrecision(3) : grouped.format(scaled)} ${units[power]}`;
}

/** Bytes of a 32-bit float. */
export const bytesPerNumber = 4;

/** Largest size of a tensor: that of an array which views native memory. */
export const MAX_TENSOR_BYTES = 2 ** 32;

/** Huffman codes as stored: the numbers of codes of 1 to 16 bits, then their symbols. Source: T.81, B.2.4.2. */
export type HuffmanCodes = Uint8Array;

/**
 * A table of codes, each an entry: its bits and those of the value after it + 32 × the number of coefficients that it passes; 0 is no code. `short` is
 * indexed by the next 11 bits, which hold most codes. Longer codes are found by their length: as numbers of 16 bits, those of a length lie between
 * `starts` and `ends`, from `symbols[offsets]` on.
 */
interface HuffmanTable {
  readonly short: Uint16Array;
  /** Bits of the codes in `short`, without those of their values. */
  readonly lengths: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly offsets: Int32Array;
  readonly symbols: Uint8Array;
  readonly entryOf: EntryOf;
}

/** The table of all coefficients of a block but the first. */
interface PairTable extends HuffmanTable {
  /**
   * Indexed by the next 11 bits: the bits of two codes and their values + 64 × the coefficients that both pass. Of one code only, if those bits do not
   * contain a second or the first ends the block; 0 if they do not contain one.
   */
  readonly pairs: Uint16Array;
}

/** The entry of a code; 0 for a symbol that does not exist. */
type EntryOf = (length: number, symbol: number) => number;

const SHORT_BITS = 11;

/** One component of a scan. */
interface ScanComponent {
  /** Blocks of 8×8 per coding unit, horizontally and vertically, if several components are interleaved; from the frame header. */
  readonly across: number;
  readonly down: number;
  readonly dc: HuffmanCodes;
  readonly ac: HuffmanCodes;
}

/** A sequential scan with Huffman codes. */
export interface HuffmanScan {
  readonly components: readonly ScanComponent[];
  /** Number of coding units, and of units between restart markers (0: no markers). */
  readonly units: number;
  readonly restartInterval: number;
  /** Offset of the coded data. */
  readonly start: number;
}

/** Adds the codes of a DHT segment, keyed by the byte of class and number. */
export function addHuffmanCodes(data: Uint8Array, codes: Map<number, HuffmanCodes>): void {
  for (let at = 0; at + 17 <= data.length; ) {
    const end = data.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, at + 17);
    codes.set(data[at] as number, data.subarray(at + 1, end));
    at = end;
  }
}

/** Source: T.81, C: the codes of one length are consecutive numbers; the next length continues with a 0 appended. */
function tableOf(symbols: HuffmanCodes, entryOf: EntryOf): HuffmanTable {
  const short = new Uint16Array(1 << SHORT_BITS);
  const lengths = new Uint8Array(1 << SHORT_BITS);
  const [starts, ends, offsets] = [new Int32Array(17), new Int32Array(17), new Int32Array(17)];
  let [code, offset] = [0, 16];
  for (let length = 1; length <= 16; length++) {
    const count = symbols[length - 1] as number;
    starts[length] = code;
    offsets[length] = offset;
    const step = 2 ** (16 - length);
    for (let i = 0; i < count; i++, code += step) {
      if (length > SHORT_BITS) continue;
      const entry = entryOf(length, symbols[offset + i] ?? 0);
      const [from, to] = [code >> (16 - SHORT_BITS), (code + step) >> (16 - SHORT_BITS)];
      short.fill(entry, from, to);
      lengths.fill(length, from, to);
    }
    offset += count;
    ends[length] = code;
  }
  return { short, lengths, starts, ends, offsets, symbols, entryOf };
}

/** Adds the pairs of codes. */
function withPairs(table: HuffmanTable): PairTable {
  const { short, lengths } = table;
  const pairs = new Uint16Array(short.length);
  for (let index = 0; index < pairs.length; index++) {
    const first = short[index] as number;
    const bits = first & 31;
    const next = (index << bits) & (pairs.length - 1);
    const isPair = first < 32 * END_OF_BLOCK && bits + (lengths[next] as number) <= SHORT_BITS;
    const second = isPair ? (short[next] as number) : 0;
    pairs[index] = 64 * ((first >> 5) + (second >> 5)) + bits + (second & 31);
  }
  return { ...table, pairs };
}

/** The entry of a code of more than 11 bits with which 16 bits begin. */
function longEntry({ starts, ends, offsets, symbols, entryOf }: HuffmanTable, bits: number): number {
  for (let length = SHORT_BITS + 1; length <= 16; length++) {
    if (bits >= (ends[length] as number)) continue;
    const number = (bits - (starts[length] as number)) >> (16 - length);
    return number < 0 ? 0 : entryOf(length, symbols[(offsets[length] as number) + number] ?? 0);
  }
  return 0;
}

/** The largest size of a difference between first coefficients, which is the symbol of its code. */
const LARGEST_DC_SYMBOL = 15;
/** The symbol of 16 zeros, after which the block continues. */
const SIXTEEN_ZEROS = 0xf0;
/** A code passes at most 16 coefficients, so the block continues after the first code of a pair that begins before this one. */
const PAIRS_BEFORE = 64 - 16;
/** Coefficients that the end of a block counts as: a sum above this one ended so, and not in a code that passes too many. */
const END_OF_BLOCK = 128;

const dcEntry: EntryOf = (length, symbol) => (symbol > LARGEST_DC_SYMBOL ? 0 : 32 + length + symbol);

const acEntry: EntryOf = (length, symbol) => {
  const size = symbol & 15;
  const passed = size === 0 && symbol !== SIXTEEN_ZEROS ? END_OF_BLOCK : (symbol >> 4) + 1;
  return 32 * passed + length + size;
};

/** Zeros after coded data: more than the codes of a block take, and the bytes that are read at once. */
const PADDING = 64 * 4 + 4;

/** Coded data between two marks, without the 0 that follows each 0xFF. */
interface CodedData {
  /** Number of bytes at the start of the target; zeros follow. */
  readonly length: number;
  /** Offset of the mark after it. */
  readonly end: number;
}

/** Copies coded data to the start of `target`. Source: T.81, B.1.1.5: 0xFF in them is followed by 0; any other byte there ends them. */
function codedData(bytes: Uint8Array, start: number, target: Uint8Array): CodedData {
  let length = 0;
  for (let from = start; ; ) {
    const found = bytes.indexOf(0xff, from);
    const end = found < 0 ? bytes.length : found;
    const isData = bytes[end + 1] === 0;
    const run = bytes.subarray(from, isData ? end + 1 : end);
    target.set(run, length);
    length += run.length;
    if (!isData) {
      target.fill(0, length, length + PADDING);
      return { length, end };
    }
    from = end + 2;
  }
}

/** The components with their tables, which two of colour usually have in common. */
function componentsOf({ components }: HuffmanScan) {
  const [first, others] = [new Map<HuffmanCodes, HuffmanTable>(), new Map<HuffmanCodes, PairTable>()];
  return components.map(({ across, down, dc, ac }) => {
    const dcTable = first.get(dc) ?? tableOf(dc, dcEntry);
    first.set(dc, dcTable);
    const acTable = others.get(ac) ?? withPairs(tableOf(ac, acEntry));
    others.set(ac, acTable);
    return { blocks: across * down, dc: dcTable, ac: acTable };
  });
}

/**
 * The error in the coded data of a scan, if any. Only codes are read, no coefficients. Decoders invent missing data, and libvips
 * ignores their warnings in the last 8 rows.
 *
 * Source: T.81, F.2.2 and B.1.1.5.
 */
export function scanProblem(bytes: Uint8Array, scan: HuffmanScan): string | undefined {
  const { units, restartInterval, start } = scan;
  const components = componentsOf(scan);
  const memory = new Uint8Array(bytes.length - start + PADDING);
  const data = new DataView(memory.buffer);
  let coded = codedData(bytes, start, memory);
  /** Offset of the unit, and of the next code in bits from there. */
  let [at, bit] = [0, 0];
  for (let unit = 0; unit < units; unit++) {
    if (restartInterval > 0 && unit > 0 && unit % restartInterval === 0) {
      const next = afterRestart(bytes, coded, 8 * at + bit, unit / restartInterval - 1);
      if (next === undefined) return "a restart mark is missing from its coded data";
      coded = codedData(bytes, next, memory);
      [at, bit] = [0, 0];
    }
    at += bit >> 3;
    bit &= 7;
    for (const { blocks, dc, ac } of components) {
      for (let block = 0; block < blocks; block++) {
        bit = passBlock(data, at, bit, dc, ac);
        if (bit < 0) return "its coded data have a code that does not exist";
        if (bit > 8 * (coded.length - at)) return "its coded data end too early";
      }
    }
  }
  return undefined;
}

/** The offset after the mark RST0 … RST7 that is number `index`, if it follows the bits that complete the last byte. */
function afterRestart(
  bytes: Uint8Array,
  { length, end }: CodedData,
  position: number,
  index: number,
): number | undefined {
  let at = end;
  while (bytes[at + 1] === 0xff) at++;
  return 8 * length - position > 7 || bytes[at + 1] !== 0xd0 + (index & 7) ? undefined : at + 2;
}

/**
 * Passes the codes of 64 coefficients: one for the first, each of the others with a number of zeros before it. Bits are counted from byte `at`. Returns
 * the first one after the block, or −1 if a code does not exist.
 */
function passBlock(data: DataView, at: number, bit: number, dc: HuffmanTable, ac: PairTable): number {
  const first = entryAt(data, at, bit, dc);
  if (first === 0) return -1;
  let next = bit + (first & 31);
  let coefficient = 1;
  while (coefficient < PAIRS_BEFORE) {
    const pair = ac.pairs[bitsAt(data, at, next) >> (16 - SHORT_BITS)] as number;
    if (pair === 0) break;
    next += pair & 63;
    coefficient += pair >> 6;
  }
  while (coefficient < 64) {
    const entry = entryAt(data, at, next, ac);
    if (entry === 0) return -1;
    next += entry & 31;
    coefficient += entry >> 5;
  }
  return coefficient === 64 || coefficient >= END_OF_BLOCK ? next : -1;
}

/** The next 16 bits. A buffer of bits would need refills, which processors cannot predict. */
function bitsAt(data: DataView, at: number, bit: number): number {
  return (data.getUint32(at + (bit >> 3)) << (bit & 7)) >>> 16;
}

function entryAt(data: DataView, at: number, bit: number, table: HuffmanTable): number {
  const bits = bitsAt(data, at, bit);
  return (table.short[bits >> (16 - SHORT_BITS)] as number) || longEntry(table, bits);
}

/** Number of coding units of a scan: blocks of a single component, else interleaved units. Source: T.81, A.2. */
export function codingUnits(
  frame: { readonly width: number; readonly height: number; readonly across: number; readonly down: number },
  { across, down }: { readonly across: number; readonly down: number },
  isAlone: boolean,
): number {
  const blocks = (pixels: number, own: number, most: number) =>
    isAlone ? Math.ceil(Math.ceil((pixels * own) / most) / 8) : Math.ceil(pixels / (8 * most));
  return blocks(frame.width, across, frame.across) * blocks(frame.height, down, frame.down);
}

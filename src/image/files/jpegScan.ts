/** Huffman codes as stored: the numbers of codes of 1 to 16 bits, then their symbols. Source: T.81, B.2.4.2. */
export type HuffmanCodes = Uint8Array;

/**
 * A table of codes, each an entry: its length × 256 + its symbol; 0 is no code. `short` is indexed by the next 9 bits, which hold most codes. Longer
 * codes are found by their length: as numbers of 16 bits, those of a length lie between `starts` and `ends`, from `symbols[offsets]` on.
 */
interface HuffmanTable {
  readonly short: Uint16Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly offsets: Int32Array;
  readonly symbols: Uint8Array;
  /** Symbols above count as no code. */
  readonly largestSymbol: number;
}
const SHORT_BITS = 9;

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
function tableOf(symbols: HuffmanCodes, largestSymbol: number): HuffmanTable {
  const short = new Uint16Array(1 << SHORT_BITS);
  const [starts, ends, offsets] = [new Int32Array(17), new Int32Array(17), new Int32Array(17)];
  let [code, offset] = [0, 16];
  for (let length = 1; length <= 16; length++) {
    const count = symbols[length - 1] as number;
    starts[length] = code;
    offsets[length] = offset;
    const step = 2 ** (16 - length);
    for (let i = 0; i < count; i++, code += step) {
      const symbol = symbols[offset + i] ?? 0;
      if (length > SHORT_BITS || symbol > largestSymbol) continue;
      short.fill((length << 8) | symbol, code >> (16 - SHORT_BITS), (code + step) >> (16 - SHORT_BITS));
    }
    offset += count;
    ends[length] = code;
  }
  return { short, starts, ends, offsets, symbols, largestSymbol };
}

/** The entry of a code of more than 9 bits with which 16 bits begin. */
function longEntry({ starts, ends, offsets, symbols, largestSymbol }: HuffmanTable, bits: number): number {
  for (let length = SHORT_BITS + 1; length <= 16; length++) {
    if (bits >= (ends[length] as number)) continue;
    const number = (bits - (starts[length] as number)) >> (16 - length);
    const symbol = symbols[(offsets[length] as number) + number] ?? 0;
    return number < 0 || symbol > largestSymbol ? 0 : (length << 8) | symbol;
  }
  return 0;
}

/** The largest size of a difference between first coefficients, which is the symbol of its code. */
const LARGEST_DC_SYMBOL = 15;
/** The symbol of 16 zeros, after which the block continues. */
const SIXTEEN_ZEROS = 0xf0;

interface BitReader {
  readonly data: Uint8Array;
  /** Offset of the next byte. */
  at: number;
  /** The bits read and not consumed are the lowest `count`; a negative number counts bits to skip. */
  buffer: number;
  count: number;
}

const consumed = ({ at, count }: BitReader): number => 8 * at - count;

/** Coded data between two marks, without the 0 that follows each 0xFF. */
interface CodedData {
  readonly data: Uint8Array;
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
    if (!isData) return { data: target.subarray(0, length), end };
    from = end + 2;
  }
}

/**
 * The error in the coded data of a scan, if any. Only codes are read, no coefficients. Decoders invent missing data, and libvips
 * ignores their warnings in the last 8 rows.
 *
 * Source: T.81, F.2.2 and B.1.1.5.
 */
export function scanProblem(bytes: Uint8Array, scan: HuffmanScan): string | undefined {
  const { units, restartInterval, start } = scan;
  const components = scan.components.map(({ across, down, dc, ac }) => ({
    blocks: across * down,
    dc: tableOf(dc, LARGEST_DC_SYMBOL),
    ac: tableOf(ac, 255),
  }));
  const memory = new Uint8Array(bytes.length - start);
  let coded = codedData(bytes, start, memory);
  let reader: BitReader = { data: coded.data, at: 0, buffer: 0, count: 0 };
  for (let unit = 0; unit < units; unit++) {
    if (restartInterval > 0 && unit > 0 && unit % restartInterval === 0) {
      const next = afterRestart(bytes, coded, consumed(reader), unit / restartInterval - 1);
      if (next === undefined) return "a restart mark is missing from its coded data";
      coded = codedData(bytes, next, memory);
      reader = { data: coded.data, at: 0, buffer: 0, count: 0 };
    }
    for (const { blocks, dc, ac } of components) {
      for (let block = 0; block < blocks; block++) {
        if (!passBlock(reader, dc, ac)) return "its coded data have a code that does not exist";
      }
    }
    if (consumed(reader) > 8 * coded.data.length) return "its coded data end too early";
  }
  return undefined;
}

/** The offset after the mark RST0 … RST7 that is number `index`, if it follows the bits that complete the last byte. */
function afterRestart(
  bytes: Uint8Array,
  { data, end }: CodedData,
  position: number,
  index: number,
): number | undefined {
  let at = end;
  while (bytes[at + 1] === 0xff) at++;
  return 8 * data.length - position > 7 || bytes[at + 1] !== 0xd0 + (index & 7) ? undefined : at + 2;
}

/**
 * Passes the codes of 64 coefficients: one for the first, each of the others with a number of zeros before it. Returns false if a code does not
 * exist. Bits after the end count as 0.
 */
function passBlock(reader: BitReader, dc: HuffmanTable, ac: HuffmanTable): boolean {
  const { data } = reader;
  let { at, buffer, count } = reader;
  let coefficient = 0;
  for (let table = dc; coefficient < 64; table = ac) {
    while (count < 16) {
      // Beyond the end an element is undefined, which counts as 0.
      buffer = (buffer << 16) | ((data[at] as number) << 8) | (data[at + 1] as number);
      at += 2;
      count += 16;
    }
    const bits = (buffer >>> (count - 16)) & 0xffff;
    const entry = (table.short[bits >> (16 - SHORT_BITS)] as number) || longEntry(table, bits);
    if (entry === 0) return false;
    const size = entry & 15;
    count -= (entry >> 8) + size;
    const isEnd = size === 0 && coefficient > 0 && (entry & 255) !== SIXTEEN_ZEROS;
    if (isEnd) break;
    coefficient += ((entry >> 4) & 15) + 1;
  }
  reader.at = at;
  reader.buffer = buffer;
  reader.count = count;
  return coefficient <= 64;
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

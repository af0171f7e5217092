/** Huffman codes in file order: number of codes of 1 to 16 bits, then their symbols. Source: T.81, B.2.4.2. */
export type HuffmanCodes = Uint8Array;

/** For each value of the next 16 bits: length of the code times 256, plus its symbol. 0: no code. */
type HuffmanTable = Uint16Array;

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

/** Source: T.81, C: codes of one length are consecutive numbers; the next length continues after appending a 0. */
function tableOf(codes: HuffmanCodes): HuffmanTable {
  const table = new Uint16Array(0x10000);
  let [code, symbol] = [0, 16];
  for (let length = 1; length <= 16; length++) {
    const step = 2 ** (16 - length);
    for (let i = 0; i < (codes[length - 1] as number); i++, symbol++, code += step) {
      table.fill((length << 8) | (codes[symbol] ?? 0), code, code + step);
    }
  }
  return table;
}

interface BitReader {
  readonly bytes: Uint8Array;
  at: number;
  /** Unread bits, `count` of them, the next one highest; the last `padding` of them lie past the end. */
  buffer: number;
  count: number;
  padding: number;
}

/**
 * Finds an error in a scan's coded data by reading its codes, without decoding pixels. Decoders fill in missing data, and libvips ignores
 * their warnings in the last 8 rows.
 *
 * Source: T.81, F.2.2 and B.1.1.5.
 */
export function scanProblem(bytes: Uint8Array, scan: HuffmanScan): string | undefined {
  const { units, restartInterval, start } = scan;
  const components = scan.components.map(({ across, down, dc, ac }) => ({
    blocks: across * down,
    dc: tableOf(dc),
    ac: tableOf(ac),
  }));
  const reader: BitReader = { bytes, at: start, buffer: 0, count: 0, padding: 0 };
  for (let unit = 0; unit < units; unit++) {
    if (restartInterval > 0 && unit > 0 && unit % restartInterval === 0) {
      if (!restart(reader, unit / restartInterval - 1)) return "a restart mark is missing from its coded data";
    }
    for (const { blocks, dc, ac } of components) {
      for (let block = 0; block < blocks; block++) {
        if (!passBlock(reader, dc, ac)) return "its coded data have a code that does not exist";
      }
    }
    if (reader.count < reader.padding) return "its coded data end too early";
  }
  return undefined;
}

/** Skips padding bits and the restart marker RST0 … RST7 of the given index. */
function restart(reader: BitReader, index: number): boolean {
  const { bytes } = reader;
  let { at } = reader;
  while (bytes[at + 1] === 0xff) at++;
  if (reader.count - reader.padding > 7 || bytes[at + 1] !== 0xd0 + (index & 7)) return false;
  [reader.at, reader.buffer, reader.count, reader.padding] = [at + 2, 0, 0, 0];
  return true;
}

/** Skips the codes of 64 coefficients: one for the first, then each nonzero one with the number of zeros before it. */
function passBlock(reader: BitReader, dc: HuffmanTable, ac: HuffmanTable): boolean {
  const size = nextSymbol(reader, dc);
  if (size < 0 || size > 15) return false;
  passBits(reader, size);
  let coefficient = 1;
  while (coefficient < 64) {
    const symbol = nextSymbol(reader, ac);
    if (symbol < 0) return false;
    const bits = symbol & 15;
    if (bits === 0 && symbol !== 0xf0) return true;
    coefficient += (symbol >> 4) + 1;
    passBits(reader, bits);
  }
  return coefficient === 64;
}

function nextSymbol(reader: BitReader, table: HuffmanTable): number {
  if (reader.count < 16) readBits(reader);
  const entry = table[(reader.buffer >>> (reader.count - 16)) & 0xffff] as number;
  reader.count -= entry >> 8;
  return entry === 0 ? -1 : entry & 255;
}

function passBits(reader: BitReader, bits: number): void {
  if (reader.count < bits) readBits(reader);
  reader.count -= bits;
}

/** Fills the buffer to at least 17 bits. In coded data 0xFF is followed by 0; any other byte ends the data. */
function readBits(reader: BitReader): void {
  const { bytes } = reader;
  while (reader.count <= 16) {
    const byte = bytes[reader.at] ?? 0xff;
    const isEnd = byte === 0xff && bytes[reader.at + 1] !== 0;
    reader.buffer = (reader.buffer << 8) | (isEnd ? 0 : byte);
    reader.count += 8;
    if (isEnd) reader.padding += 8;
    else reader.at += byte === 0xff ? 2 : 1;
  }
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

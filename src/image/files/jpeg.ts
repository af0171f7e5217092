/** Structure of a JPEG file: size, scans, completeness. */
import { bigEndian, checkSize, damaged, type ImageFile, latin1, truncated, unread } from "./imageFile.ts";
import { addHuffmanCodes, codingUnits, type HuffmanCodes, type HuffmanScan, scanProblem } from "./jpegScan.ts";
import { exifPrefix, orientationOf } from "./orientation.ts";

/** Markers: the byte after 0xFF. Source: ITU-T T.81, table B.1. */
const TEM = 0x01;
const [DHT, RST0, RST7, SOI, EOI, SOS, DRI, APP1] = [0xc4, 0xd0, 0xd7, 0xd8, 0xd9, 0xda, 0xdd, 0xe1];
/** Start of frame, 0xC0 to 0xCF, except DHT, JPG and DAC. */
const isFrameMarker = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
/** Sequential and progressive, with Huffman or arithmetic codes. The others are lossless or hierarchical. */
const [sequentialFrames, progressiveFrames, arithmeticFrames] = [
  [0xc0, 0xc1, 0xc9],
  [0xc2, 0xca],
  [0xc9, 0xca],
];

interface FrameHeader {
  readonly width: number;
  readonly height: number;
  readonly isProgressive: boolean;
  readonly isArithmetic: boolean;
  /** Sampling factors of each component, and their maximum. */
  readonly sampling: ReadonlyMap<number, Sampling>;
  readonly most: Sampling;
  /** For each component and each of its 64 coefficients: number of low bits not received yet. */
  readonly lacking: ReadonlyMap<number, Uint8Array>;
}

interface Sampling {
  readonly across: number;
  readonly down: number;
}
/** State that segments set for later scans. */
interface Coding {
  readonly codes: Map<number, HuffmanCodes>;
  restartInterval: number;
}

/** Parses a JPEG file segment by segment up to its end marker. Throws DataError if it is damaged, incomplete or too large. */
export function inspectJpeg(bytes: Uint8Array): ImageFile {
  let frame: FrameHeader | undefined;
  const application: ApplicationData = { exif: [], xmp: [] };
  let end = bytes.length;
  const coding: Coding = { codes: new Map(), restartInterval: 0 };
  const scans: HuffmanScan[] = [];
  let hasScans = false;
  for (const { marker, data, next } of segments(bytes)) {
    if (marker === EOI) end = next;
    if (!hasScans) noteApplication(marker, data, application);
    if (marker === DHT) addHuffmanCodes(data, coding.codes);
    if (marker === DRI) coding.restartInterval = bigEndian(data, 0, 2);
    if (isFrameMarker(marker)) {
      if (frame) throw damaged("JPEG", "two frame headers");
      frame = frameHeader(marker, data);
    }
    if (marker === SOS) {
      hasScans = true;
      if (!frame) throw damaged("JPEG", "a scan without a frame header before it");
      noteScan(frame, data);
      const scan = huffmanScan(frame, data, coding, next);
      if (scan) scans.push(scan);
    }
  }
  if (!frame) throw damaged("JPEG", "it has no frame header");
  const { width, height, isProgressive, lacking } = frame;
  if ([...lacking.values()].some((bits) => bits.some((count) => count > 0))) {
    throw damaged("JPEG", "some of its scans are missing");
  }
  for (const scan of scans) {
    const problem = scanProblem(bytes, scan);
    if (problem) throw damaged("JPEG", problem);
  }
  const channels = lacking.size === 1 ? 1 : 3;
  return {
    header: { format: "JPEG", width, height, channels, isProgressive, orientation: orientationIn(application) },
    // Bytes after the end may be a gain map, which some decoders apply.
    frame: { bytes: bytes.subarray(0, end), left: 0, top: 0, width, height, isCmyk: lacking.size === 4 },
  };
}

/** Application segments before the first scan; decoders ignore later ones. */
interface ApplicationData {
  readonly exif: Uint8Array[];
  readonly xmp: Uint8Array[];
}

const xmpPrefix = "http://ns.adobe.com/xap/1.0/\0";

function noteApplication(marker: number, data: Uint8Array, application: ApplicationData): void {
  if (marker !== APP1) return;
  if (latin1(data, 0, exifPrefix.length) === exifPrefix) application.exif.push(data.subarray(exifPrefix.length));
  else if (latin1(data, 0, xmpPrefix.length) === xmpPrefix) application.xmp.push(data.subarray(xmpPrefix.length));
}

/** Concatenates EXIF data that spans several segments. */
function orientationIn({ exif, xmp }: ApplicationData): number {
  return orientationOf({ exif: Buffer.concat(exif), xmp: Buffer.concat(xmp) });
}

interface Segment {
  readonly marker: number;
  readonly data: Uint8Array;
  /** Offset of the bytes after the segment. */
  readonly next: number;
}

/** Source: T.81, B.1.1.4: segments between start and end marker carry their length. The end marker is returned last. */
function* segments(bytes: Uint8Array): Generator<Segment> {
  for (let at = markerFrom(bytes, 2); ; ) {
    const marker = bytes[at] as number;
    if (marker === SOI) throw damaged("JPEG", `a second start mark at byte ${at - 1}`);
    if (marker === EOI) return yield { marker, data: new Uint8Array(), next: at + 1 };
    if (at + 3 > bytes.length) throw truncated("JPEG", bytes);
    const length = bigEndian(bytes, at + 1, 2);
    const next = at + 1 + length;
    if (length < 2) throw damaged("JPEG", `a segment of length ${length} at byte ${at - 1}`);
    if (next > bytes.length) throw truncated("JPEG", bytes);
    yield { marker, data: bytes.subarray(at + 3, next), next };
    at = markerFrom(bytes, next);
  }
}

/** Finds the next marker that has a segment or ends the file. In coded data, 0xFF precedes 0, a restart marker or a fill byte. */
function markerFrom(bytes: Uint8Array, from: number): number {
  for (let at = from; ; at++) {
    at = bytes.indexOf(0xff, at);
    const marker = at < 0 ? undefined : bytes[at + 1];
    if (marker === undefined) throw truncated("JPEG", bytes);
    const hasNoSegment = marker <= TEM || marker === 0xff || (marker >= RST0 && marker <= RST7);
    if (!hasNoSegment) return at + 1;
  }
}

/** Source: T.81, B.2.2: precision, height, width, then 3 bytes per component. */
function frameHeader(marker: number, data: Uint8Array): FrameHeader {
  const isProgressive = progressiveFrames.includes(marker);
  if (!isProgressive && !sequentialFrames.includes(marker)) throw unread("JPEG", "a lossless or hierarchical one");
  const [precision = 0, components = 0] = [data[0], data[5]];
  if (data.length < 6 + 3 * components) throw damaged("JPEG", "its frame header is too short");
  const [height, width] = [bigEndian(data, 1, 2), bigEndian(data, 3, 2)];
  checkSize("JPEG", width, height, isProgressive);
  if (precision !== 8) throw unread("JPEG", `one of ${precision} bits`);
  if (![1, 3, 4].includes(components)) throw unread("JPEG", `one of ${components} components`);
  const lacking = new Map<number, Uint8Array>();
  const sampling = new Map<number, Sampling>();
  for (let i = 0; i < components; i++) {
    const [id = 0, factors = 0] = data.subarray(6 + 3 * i);
    lacking.set(id, new Uint8Array(64).fill(16));
    const own = { across: factors >> 4, down: factors & 15 };
    if (Math.min(own.across, own.down) < 1 || Math.max(own.across, own.down) > 4) {
      throw damaged("JPEG", `sampling factors ${own.across} and ${own.down}, which are not 1 to 4`);
    }
    sampling.set(id, own);
  }
  const all = [...sampling.values()];
  const most = { across: Math.max(...all.map(({ across }) => across)), down: Math.max(...all.map(({ down }) => down)) };
  return { width, height, isProgressive, isArithmetic: arithmeticFrames.includes(marker), sampling, most, lacking };
}

/**
 * Parses a scan header: number of components, 2 bytes each, then the range of coefficients and the lowest bit. T.81 allows a file to end
 * without the last bits, but encoders write them all; a file without them was truncated and given an end marker. Source: T.81, B.2.3 and
 * G.1.1.1.
 */
function noteScan({ isProgressive, lacking }: FrameHeader, data: Uint8Array): void {
  const components = data[0] ?? 0;
  const [first = 0, last = 0, bits = 0] = data.subarray(1 + 2 * components);
  for (let i = 0; i < components; i++) {
    const coefficients = lacking.get(data[1 + 2 * i] as number);
    if (isProgressive) coefficients?.fill(bits & 15, first, last + 1);
    else if (coefficients?.[0] === 0) throw damaged("JPEG", "two scans of the same component");
    else coefficients?.fill(0);
  }
}

/**
 * Returns a scan whose coded data can be checked, else undefined. Decoders read progressive scans completely before the first row.
 * Arithmetic codes may end in omitted zeros, so truncation is undetectable. Missing tables and contradictions to the frame are left to the
 * decoder.
 */
function huffmanScan(
  { width, height, isProgressive, isArithmetic, sampling, most }: FrameHeader,
  data: Uint8Array,
  { codes, restartInterval }: Coding,
  start: number,
): HuffmanScan | undefined {
  if (isProgressive || isArithmetic) return undefined;
  const count = data[0] ?? 0;
  const components: HuffmanScan["components"][number][] = [];
  for (let i = 0; i < count; i++) {
    const [id, numbers] = [data[1 + 2 * i] as number, data[2 + 2 * i] as number];
    const own = sampling.get(id);
    const [dc, ac] = [codes.get(numbers >> 4), codes.get(0x10 | (numbers & 15))];
    if (!own || !dc || !ac) return undefined;
    components.push({ ...(count === 1 ? { across: 1, down: 1 } : own), dc, ac });
  }
  const own = sampling.get(data[1] as number);
  if (!own) return undefined;
  const units = codingUnits({ width, height, ...most }, own, count === 1);
  return { components, units, restartInterval, start };
}

/** Properties of an image file format. */
interface FormatFacts {
  /** File extensions in lower case, without the dot. */
  readonly extensions: readonly string[];
  readonly mediaType: `image/${string}`;
}

/** Image file formats. HEIC is read only where sharp was built with an HEVC decoder; its prebuilt libraries have none. */
const formats = {
  JPEG: { extensions: ["jpg", "jpeg", "jpe", "jfif"], mediaType: "image/jpeg" },
  PNG: { extensions: ["png", "apng"], mediaType: "image/png" },
  WebP: { extensions: ["webp"], mediaType: "image/webp" },
  GIF: { extensions: ["gif"], mediaType: "image/gif" },
  TIFF: { extensions: ["tif", "tiff"], mediaType: "image/tiff" },
  BMP: { extensions: ["bmp", "dib"], mediaType: "image/bmp" },
  AVIF: { extensions: ["avif", "avifs"], mediaType: "image/avif" },
  HEIC: { extensions: ["heic", "heics", "heif", "heifs", "hif"], mediaType: "image/heic" },
} satisfies Readonly<Record<string, FormatFacts>>;

/** Image file formats. */
export type ImageFormat = keyof typeof formats;

/** Formats that every installation reads. */
const everywhere = Object.entries<FormatFacts>(formats).filter(([name]) => name !== "HEIC");

const names = everywhere.map(([name]) => name);

/** Names of the formats that every installation reads, for messages and help. */
export const readFormats = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;

/** Media types of those formats. */
export const readMediaTypes: readonly string[] = everywhere.map(([, { mediaType }]) => mediaType);

const formatsByExtension: ReadonlyMap<string, ImageFormat> = new Map(
  Object.entries<FormatFacts>(formats).flatMap(([name, { extensions }]) =>
    extensions.map((extension) => [extension, name as ImageFormat] as const),
  ),
);

/** Format that a file extension stands for. */
export function formatOfExtension(extension: string): ImageFormat | undefined {
  return formatsByExtension.get(extension);
}

/** The name of a format after `a` or `an`. */
export function withArticle(format: ImageFormat): string {
  return `${format === "AVIF" ? "an" : "a"} ${format}`;
}

/** Signatures of unsupported formats, one character per byte. */
const signatures: readonly (readonly [start: string, other: string])[] = [
  ["\x89PNG", "a PNG file whose signature is damaged, as by a transfer as text"],
  ["RIFF", "a RIFF file that is not WebP, such as sound or video"],
  ["\xff\x0a", "a JPEG XL image"],
  ["\0\0\0\x0cJXL ", "a JPEG XL image"],
  ["\xff\x4f\xff\x51", "a JPEG 2000 image"],
  ["\0\0\0\x0cjP  ", "a JPEG 2000 image"],
  ["\0\0\x01\0", "an ICO file"],
  ["\0\0\x02\0", "a CUR file"],
  ["8BPS", "a Photoshop file"],
  ["%PDF", "a PDF file"],
  ["%!PS", "a PostScript file"],
  ["PK\x03\x04", "a zip archive"],
  ["PK\x05\x06", "a zip archive"],
  ["\x1f\x8b", "a gzip file"],
];

/** Brands of ISO-BMFF files (ISO/IEC 14496-12, 4.3). Source: AVIF 1.2.0, section 6; ISO/IEC 23008-12, annex B. */
const brands: readonly (readonly [brand: RegExp, format: ImageFormat])[] = [
  [/^(?:avif|avis)$/, "AVIF"],
  [/^(?:hei[cxms]|hev[cxms]|mif1|msf1)$/, "HEIC"],
];

/** Byte order and version of TIFF and BigTIFF. */
const tiffStart = /^(?:II[*+]\0|MM\0[*+])/;

/** `BM`, 12 bytes of any value, and the length of the next header, 12 to 124. Texts can begin with `BM`, too. */
function isBmp(start: string): boolean {
  const length = start.charCodeAt(14);
  return start.startsWith("BM") && length >= 12 && length <= 124 && start.startsWith("\0\0\0", 15);
}

/** Detects a file's format by its first bytes; `other` describes an unsupported one. */
export function recogniseFormat(bytes: Uint8Array): ImageFormat | { readonly other: string } {
  if (bytes.length === 0) return { other: "an empty file" };
  const start = String.fromCharCode(...bytes.subarray(0, 1024));
  if (start.startsWith("\xff\xd8\xff")) return "JPEG";
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) return "WebP";
  if (/^GIF8[79]a/.test(start)) return "GIF";
  if (tiffStart.test(start)) return "TIFF";
  if (isBmp(start)) return "BMP";
  if (start.startsWith("ftyp", 4)) return mediaFile(start);
  const other = signatures.find(([text]) => start.startsWith(text))?.[1];
  return { other: other ?? markup(start) ?? beginning(start) };
}

/** Detects an ISO-BMFF file by its first box `ftyp`: length, major brand, version, compatible brands. */
function mediaFile(start: string): ImageFormat | { readonly other: string } {
  const length = start.charCodeAt(2) * 0x100 + start.charCodeAt(3);
  const listed = [start.slice(8, 12), ...(start.slice(16, length).match(/.{4}/gs) ?? [])];
  const format = brands.find(([brand]) => listed.some((name) => brand.test(name)))?.[1];
  const brand = JSON.stringify(printable(listed[0] ?? ""));
  return format ?? { other: `a video or other media file (brand ${brand})` };
}

/** Detects text of any encoding whose first visible character is `<`. */
function markup(start: string): string | undefined {
  const text = start
    .replaceAll("\0", "")
    .replace(/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, "")
    .trimStart();
  if (!text.startsWith("<")) return undefined;
  if (/<svg[\s>:]/i.test(text)) return "an SVG drawing";
  if (/^<(?:!doctype html|html|head|body)\b/i.test(text)) return "an HTML page";
  return text.startsWith("<?xml") ? "an XML file" : "text that starts like XML, SVG or HTML";
}

function beginning(start: string): string {
  return `a file that starts with ${JSON.stringify(printable(start.slice(0, 8)))}`;
}

function printable(text: string): string {
  return text.replace(/[^ -~]/g, ".");
}

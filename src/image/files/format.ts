/** Supported image file formats. */
export type ImageFormat = "JPEG" | "PNG" | "WebP" | "GIF";

/** Names of the formats for messages. */
export const readFormats = "JPEG, PNG, WebP or GIF";

/** Signatures of unsupported formats, one character per byte. */
const signatures: readonly (readonly [start: string, other: string])[] = [
  ["\x89PNG", "a PNG file whose signature is damaged, as by a transfer as text"],
  ["RIFF", "a RIFF file that is not WebP, such as sound or video"],
  ["BM", "a BMP image"],
  ["II*\0", "a TIFF image"],
  ["MM\0*", "a TIFF image"],
  ["II+\0", "a TIFF image"],
  ["MM\0+", "a TIFF image"],
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
const brands: readonly (readonly [brand: RegExp, other: string])[] = [
  [/^(?:avif|avis)$/, "an AVIF image"],
  [/^(?:hei[cxms]|hev[cxms]|mif1|msf1)$/, "a HEIC image"],
];

/** Detects a file's format by its first bytes; `other` describes an unsupported one. */
export function recogniseFormat(bytes: Uint8Array): ImageFormat | { readonly other: string } {
  if (bytes.length === 0) return { other: "an empty file" };
  const start = String.fromCharCode(...bytes.subarray(0, 1024));
  if (start.startsWith("\xff\xd8\xff")) return "JPEG";
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) return "WebP";
  if (/^GIF8[79]a/.test(start)) return "GIF";
  const other = signatures.find(([text]) => start.startsWith(text))?.[1];
  return { other: other ?? mediaFile(start) ?? markup(start) ?? beginning(start) };
}

/** Detects an ISO-BMFF file by its first box `ftyp`: length, major brand, version, compatible brands. */
function mediaFile(start: string): string | undefined {
  if (!start.startsWith("ftyp", 4)) return undefined;
  const length = start.charCodeAt(2) * 0x100 + start.charCodeAt(3);
  const listed = [start.slice(8, 12), ...(start.slice(16, length).match(/.{4}/gs) ?? [])];
  const found = brands.find(([brand]) => listed.some((name) => brand.test(name)))?.[1];
  return found ?? `a video or other media file (brand ${JSON.stringify(printable(listed[0] ?? ""))})`;
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

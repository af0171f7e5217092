/** File names: formats by their extensions, and names that belong to the system. */
import type { ImageFormat } from "../../image/files/format.ts";

/** Extensions of the formats that are read. */
const formats: ReadonlyMap<string, ImageFormat> = new Map([
  ["jpg", "JPEG"],
  ["jpeg", "JPEG"],
  ["jpe", "JPEG"],
  ["jfif", "JPEG"],
  ["png", "PNG"],
  ["apng", "PNG"],
  ["webp", "WebP"],
  ["gif", "GIF"],
]);

/** Extensions of images that are refused: such a file is meant to be an image, so it is not passed over in silence. */
const refused: ReadonlySet<string> = new Set(
  (
    "avif avifs bmp cr2 cr3 cur dib dng eps exr hdr heic heics heif hif ico j2k jp2 jpf jpx jxl jxr nef " +
    "pbm pdf pgm pnm ppm psd raw svg svgz tga tif tiff xcf"
  ).split(" "),
);

/** The extension in lower case, without its dot; empty if there is none. */
export function extensionOf(path: string): string {
  return /[^/]\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
}

/** The format that a name promises, if it is one that is read. */
export function formatOfName(path: string): ImageFormat | undefined {
  return formats.get(extensionOf(path));
}

/** True if the extension is that of an image format, read or not. */
export function hasImageName(path: string): boolean {
  const extension = extensionOf(path);
  return formats.has(extension) || refused.has(extension);
}

/**
 * Files and folders that systems and tools make for themselves, in lower case: thumbnails, trash, recovery, snapshots, caches. Those of names that
 * data sets have as classes, such as `trash`, are not among them.
 */
const systemNames: ReadonlySet<string> = new Set([
  ...[
    "desktop.ini",
    "thumbs.db",
    "ehthumbs.db",
    "icon\r",
    "thumbs",
    "thumbnails",
    "thumbnail",
    "_thumbs",
    "_thumbnails",
  ],
  ...["__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder"],
  ...["$recycle.bin", "recycler", "recycled", "system volume information", "$windows.~bt", "msocache", "config.msi"],
  ...["@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin"],
  ...["lost+found", "lost.dir", "__pycache__", "node_modules"],
]);
/** Folders of recovered files: `FOUND.000` of chkdsk, `recup_dir.1` of PhotoRec. */
const recovered = /^(?:found\.\d{3}|recup_dir\.\d+)$/;

/** True if an entry is hidden, or made by a system for itself. */
export function isHidden(name: string): boolean {
  const plain = name.normalize("NFC").toLowerCase();
  return name.startsWith(".") || systemNames.has(plain) || recovered.test(plain);
}

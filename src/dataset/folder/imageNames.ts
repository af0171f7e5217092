/** File names: formats by their extensions, and names that belong to the system. */
import { formatOfExtension, type ImageFormat } from "../../image/files/format.ts";

/** File extensions of unsupported image formats. Such a file is probably meant as an image, so it is reported. */
const refused: ReadonlySet<string> = new Set(
  (
    "cr2 cr3 cur dng eps exr hdr ico j2k jp2 jpf jpx jxl jxr nef " + "pbm pdf pgm pnm ppm psd raw svg svgz tga xcf"
  ).split(" "),
);

/** Extension in lower case, without the dot; empty if there is none. */
export function extensionOf(path: string): string {
  return /[^/]\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
}

/** Format that the file extension stands for. */
export function formatOfName(path: string): ImageFormat | undefined {
  return formatOfExtension(extensionOf(path));
}

/** True if the extension is that of an image format, supported or not. */
export function hasImageName(path: string): boolean {
  const extension = extensionOf(path);
  return formatOfExtension(extension) !== undefined || refused.has(extension);
}

/**
 * Files and folders that systems and tools create, in lower case: thumbnails, trash, recovery, snapshots, caches. Names that data sets use for
 * classes, such as `trash` and `recycled`, are not included.
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
  ...["$recycle.bin", "system volume information", "$windows.~bt", "msocache", "config.msi"],
  ...["@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin"],
  ...["lost+found", "lost.dir", "__pycache__", "node_modules"],
]);
/** Folders of recovered files: `FOUND.000` by chkdsk, `recup_dir.1` by PhotoRec. */
const recovered = /^(?:found\.\d{3}|recup_dir\.\d+)$/;

/** True if an entry is hidden or created by the system. */
export function isHidden(name: string): boolean {
  const plain = name.normalize("NFC").toLowerCase();
  return name.startsWith(".") || systemNames.has(plain) || recovered.test(plain);
}

/** Data set of a packed listing. */
import { DataError } from "../../errors.ts";
import { deviationOf } from "../../image/prepare/moments.ts";
import type { Dataset, LoadOptions } from "../dataset.ts";
import { packListing } from "../pack/pack.ts";
import { type ImageListing, limitListing, listingDigest } from "./imageListing.ts";

/**
 * Packs the images of a listing, and serves them from the pack.
 *
 * Throws DataError if too many images are unreadable, or there is no room for the pack.
 */
export async function loadListing(listing: ImageListing, options: LoadOptions): Promise<Dataset> {
  const { trainLimit, testLimit, fitting, maxBad, onPacking, onMessage, signal, cacheDir } = options;
  for (const note of listing.notes) onMessage?.(note);
  const { name, root, classNames } = listing;
  const packed = await packListing(limitListing(listing, trainLimit, testLimit), {
    fitting: fitting ?? { size: [1, 1], channels: 3, fit: { kind: "native" }, resize: "bilinear" },
    cacheDir,
    maxBad,
    onProgress: onPacking,
    onMessage,
    signal,
  });
  const { train, validation, test, channels, imageSize, moments, bad, close } = packed;
  if (bad.length > 0) onMessage?.(badNote(root, bad));
  const mean = moments?.mean ?? new Array<number>(channels).fill(0);
  return {
    name,
    classNames,
    train,
    validation,
    test,
    channels,
    imageSize,
    mean,
    deviation: moments ? deviationOf(moments) : new Array<number>(channels).fill(1),
    moments() {
      if (moments) return moments;
      throw new DataError(`${root}: expected training images, found none`);
    },
    source: root,
    listed: listingDigest(listing),
    close: () => void close(),
  };
}

const NAMED = 10;

function badNote(root: string, bad: readonly { readonly path: string; readonly reason: string }[]): string {
  const lines = bad.slice(0, NAMED).map(({ path, reason }) => `\n  ${path}: ${reason}`);
  const more = bad.length > NAMED ? `\n  and ${bad.length - NAMED} more; alexnet check ${root} lists them all` : "";
  return `${root}: ${bad.length} ${bad.length === 1 ? "image" : "images"} left out:${lines.join("")}${more}`;
}

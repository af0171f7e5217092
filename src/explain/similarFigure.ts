/** Figure of an image and its nearest neighbours. */
import type { Model } from "../checkpoint/metadata.ts";
import { decodeImage } from "../image/files/decode.ts";
import { drawPictureRows, type PictureRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { truncateStart } from "../report/text.ts";
import { createInputPicture } from "./inputImage.ts";

/** What is drawn of a search. */
interface ShownPictures {
  readonly layer: string;
  readonly features: number;
  readonly pictures: number;
  readonly queries: readonly {
    readonly query: string;
    readonly nearest: readonly { readonly file: string; readonly distance: number }[];
  }[];
}

const SHOWN_SIDE = 192;

/** A row for each query: itself, then what was found. */
export async function drawSimilar(
  { network, preprocessing }: Model,
  folder: string,
  found: ShownPictures,
): Promise<string> {
  const seen = createInputPicture(preprocessing);
  const shown = async (file: string, line: string) => {
    const picture = seen(await decodeImage(file));
    const factor = Math.max(1, Math.round(SHOWN_SIDE / Math.max(picture.width, picture.height)));
    const image = zoom(picture, factor);
    return { image, lines: [line, truncateStart(file, Math.floor(image.width / 11.2))] };
  };
  const rows: PictureRows["rows"][number][] = [];
  for (const { query, nearest } of found.queries) {
    const pictures = [await shown(query, "asked for")];
    for (const { file, distance } of nearest) pictures.push(await shown(file, `distance ${distance.toPrecision(3)}`));
    rows.push({ heading: query, pictures });
  }
  const what = `nearest of ${found.pictures} pictures in ${folder} by the ${found.features} outputs of ${found.layer}`;
  return drawPictureRows({ title: `${network.name}: ${what}`, rows });
}

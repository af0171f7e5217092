/** The gradients of weights and biases of convolutions and linear layers. */
import type { ModuleBuilder } from "../../../assembler/assembler.ts";
import { f32x4, i32, load, sum, type V128, vector } from "../../../assembler/instructions.ts";
import { addKernel } from "./kernel.ts";
import { at, forTiles, PANEL_ROW, TILE_ROWS, type Tiles, tileFlags } from "./tile.ts";

const fields = [
  // Input and output gradient: base, and bytes from one image, row and pixel to the next.
  ...(["a", "aImage", "aRow", "aPixel", "aTile"] as const),
  ...(["g", "gImage", "gRow", "gPixel"] as const),
  // Pixels of the output gradient. With `joined`, the images are the columns of one row.
  ...(["rows", "columns", "joined", "rowsOfBlock"] as const),
  ...(["panels", "panelsOfGroup", "aGroup"] as const),
  // Segments of the window and how many an item computes.
  ...(["segments", "segmentCount", "segmentsOfItem"] as const),
  // Gradient of the weights, bytes of its panels, gradient of the bias.
  ...(["c", "cPanel", "bias"] as const),
] as const;

/**
 * c[p, j, 0…7] ← Σ a[pixel, j] · g[pixel, 8p … 8p + 7], and bias[8p …] ← Σ g[pixel, …], over all pixels of all images, for all panels p. The values j
 * are those of the segments, from the pixel's address on: `aTile` bytes from four of them to the next four.
 *
 * Pixels are taken in blocks of rows: the panel's gradients are copied next to each other, and stay in the first cache for all j.
 */
export function weightGradientKernel(module: ModuleBuilder, tiles: Tiles) {
  return addKernel(module, fields, ({ body, arg, scratch, images, items }) => {
    const groups = body.i32(i32.div(sum(arg.segmentCount, arg.segmentsOfItem, -1), arg.segmentsOfItem));
    const columns = body.i32(arg.columns);
    const allRows = body.i32(i32.mul(images, arg.rows));
    body.if(arg.joined, () => {
      body.set(columns, images);
      body.set(allRows, 1);
    });
    const packed = body.i32(at(scratch, arg.rowsOfBlock, 4));
    items(body.i32(i32.mul(groups, arg.panels)), (item) => {
      const panel = body.i32(i32.div(item, groups));
      const group = body.i32(i32.rem(item, groups));
      const firstSegment = body.i32(i32.mul(group, arg.segmentsOfItem));
      const distance = body.i32(i32.mul(i32.div(panel, arg.panelsOfGroup), arg.aGroup));
      const row = body.i32(0);
      const flags = body.i32(0);
      const biasSums = [body.local("v128", vector(0)), body.local("v128", vector(0))];
      body.for(row, allRows, arg.rowsOfBlock, () => {
        const blockRow = body.i32(row);
        const blockEnd = body.i32(i32.add(row, arg.rowsOfBlock));
        body.if(i32.lt(allRows, blockEnd), () => body.set(blockEnd, allRows));
        const entry = body.i32(scratch);
        const to = body.i32(packed);
        body.for(blockRow, blockEnd, 1, () => {
          const image = body.i32(i32.div(blockRow, arg.rows));
          const y = body.i32(i32.rem(blockRow, arg.rows));
          body.storeI32(entry, sum(arg.a, i32.mul(image, arg.aImage), i32.mul(y, arg.aRow), distance));
          body.increase(entry, 4);
          const from = body.i32(
            sum(arg.g, i32.mul(image, arg.gImage), i32.mul(y, arg.gRow), i32.mul(panel, PANEL_ROW)),
          );
          const rowEnd = body.i32(at(to, columns, PANEL_ROW));
          body.for(to, rowEnd, PANEL_ROW, () => {
            for (const [half, one] of biasSums.entries()) {
              const value = body.local("v128", load.v128(from, 16 * half));
              body.storeV128(to, value, 16 * half);
              body.set(one, f32x4.add(one, value));
            }
            body.increase(from, arg.gPixel);
          });
        });
        const segment = body.i32(at(arg.segments, firstSegment, 8));
        const segmentsEnd = body.i32(i32.add(firstSegment, arg.segmentsOfItem));
        body.if(i32.lt(arg.segmentCount, segmentsEnd), () => body.set(segmentsEnd, arg.segmentCount));
        body.set(segmentsEnd, at(arg.segments, segmentsEnd, 8));
        const output = body.i32(
          sum(arg.c, i32.mul(panel, arg.cPanel), i32.mul(i32.mul(firstSegment, load.i32(arg.segments, 4)), PANEL_ROW)),
        );
        body.for(segment, segmentsEnd, 8, () => {
          const length = body.i32(load.i32(segment, 4));
          forTiles(body, tiles, length, (tile, j) => {
            const inSegment = i32.mul(i32.div(j, TILE_ROWS), arg.aTile);
            const from = i32.add(load.i32(segment), inSegment);
            body.call(tile, scratch, entry, from, columns, arg.aPixel, packed, at(output, j, PANEL_ROW), flags);
          });
          body.increase(output, i32.mul(length, PANEL_ROW));
        });
        body.set(flags, tileFlags.addToOutput);
      });
      body.if(i32.not(group), () => {
        for (const [half, one] of biasSums.entries()) body.storeV128(at(arg.bias, panel, PANEL_ROW), one, 16 * half);
      });
    });
  });
}

/**
 * Copies rows of values into tiles: c[tile][row][0…3] ← a[row][4 · tile …]: the rows of a tile lie next to each other, whatever the distance of the
 * rows was.
 */
export function tileRowsKernel(module: ModuleBuilder) {
  const tileFields = ["a", "aImage", "c", "cTile", "tiles"] as const;
  return addKernel(module, tileFields, ({ body, arg, images, items }) => {
    const tilesOfItem = 64;
    items(body.i32(i32.div(sum(arg.tiles, tilesOfItem - 1), tilesOfItem)), (item) => {
      const first = body.i32(i32.mul(item, tilesOfItem));
      const end = body.i32(i32.add(first, tilesOfItem));
      body.if(i32.lt(arg.tiles, end), () => body.set(end, arg.tiles));
      const image = body.i32(0);
      body.for(image, images, 1, () => {
        const tile = body.i32(first);
        const from = body.i32(sum(arg.a, i32.mul(image, arg.aImage), i32.mul(first, 16)));
        const to = body.i32(sum(arg.c, i32.mul(image, 16), i32.mul(first, arg.cTile)));
        body.for(tile, end, 1, () => {
          const value: V128 = load.v128(from);
          body.storeV128(to, value);
          body.increase(from, 16);
          body.increase(to, arg.cTile);
        });
      });
    });
  });
}

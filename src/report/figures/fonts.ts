/** Fonts of figures: DejaVu Sans, then the system's fonts and GNU Unifont for characters it lacks. */

import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { Resvg, type ResvgRenderOptions } from "@resvg/resvg-js";
import { cacheFolder } from "../../dataset/download/cacheFolder.ts";
import { markupText } from "../../escape.ts";

type Fonts = NonNullable<ResvgRenderOptions["font"]>;

const { resolve } = createRequire(import.meta.url);

/** Fonts from a package, so that text looks the same on machines without fonts. */
const usualFiles = ["DejaVuSans", "DejaVuSans-Bold"].map((name) => resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`));
const usualFonts: Fonts = { loadSystemFonts: false, fontFiles: usualFiles, defaultFontFamily: "DejaVu Sans" };

/**
 * Font sets, each created on first use: scanning a system's fonts takes up to a second. The renderer prefers listed files to system fonts,
 * so Unifont, whose glyphs are bitmaps, has a set of its own.
 */
const fontSets = {
  usual: () => usualFonts,
  system: () => ({ ...usualFonts, loadSystemFonts: true }),
  all: once(() => ({ ...usualFonts, loadSystemFonts: true, fontFiles: [...usualFiles, ...unifontFiles()] })),
} as const satisfies Readonly<Record<string, () => Fonts>>;
type FontSet = keyof typeof fontSets;

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** A figure with the fonts for its text. */
export interface SetFigure {
  readonly svg: string;
  readonly font: Fonts;
}

/**
 * Chooses fonts for the characters of an SVG. A character that no font draws is replaced by its code point, such as `[U+1F436]`, with a
 * warning the first time.
 */
export function withFonts(svg: string): SetFigure {
  // Fast path: DejaVu Sans covers the letters of European languages.
  const rare = [...new Set(svg.match(/(?![\p{M}\p{Cf}\p{Z}])[\u0250-\u{10ffff}]/gu))];
  const lacking = undrawn(rare, "usual");
  if (lacking.length === 0) return { svg, font: usualFonts };
  const strange = undrawn(lacking, "system");
  const missing = undrawn(strange, "all");
  warnOnce(missing);
  const set = missing.reduce((text, character) => text.replaceAll(character, `[${codePoint(character)}]`), svg);
  return { svg: set, font: fontSets[missing.length < strange.length ? "all" : "system"]() };
}

/** Cached results by font set and character. */
const looks: Readonly<Record<FontSet, Map<string, boolean>>> = { usual: new Map(), system: new Map(), all: new Map() };

/** Characters without a glyph in a font set. */
function undrawn(characters: readonly string[], fonts: FontSet): readonly string[] {
  const known = looks[fonts];
  const unknown = characters.filter((character) => !known.has(character));
  if (unknown.length > 0) {
    for (const [i, isDrawn] of look(unknown, fontSets[fonts]()).entries()) known.set(unknown[i] as string, isDrawn);
  }
  return characters.filter((character) => !known.get(character));
}

/** An unassigned code point, drawn as the missing glyph. */
const unassigned = "\u{efffd}";
const cell = 32;

/** Draws each character in its own cell; one without a glyph equals an unassigned code point, or is blank. */
function look(characters: readonly string[], font: Fonts): readonly boolean[] {
  const texts = [unassigned, ...characters].map((character, i) => {
    return `<text x="4" y="${i * cell + 22}">${markupText(character)}</text>`;
  });
  const height = texts.length * cell;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${cell}" height="${height}" font-family="DejaVu Sans" font-size="16">${texts.join("")}</svg>`;
  const { pixels } = new Resvg(svg, { font }).render();
  const cellAt = (i: number) => pixels.subarray(i * 4 * cell * cell, (i + 1) * 4 * cell * cell);
  const missing = cellAt(0);
  return characters.map((_, i) => {
    const pixelsOfCell = cellAt(i + 1);
    return !pixelsOfCell.equals(missing) && pixelsOfCell.some((value) => value !== 0);
  });
}

const warned = new Set<string>();

function warnOnce(characters: readonly string[]): void {
  const fresh = characters.filter((character) => !warned.has(character));
  if (fresh.length === 0) return;
  for (const character of fresh) warned.add(character);
  const list = fresh.map((character) => `${character} (${codePoint(character)})`).join(", ");
  process.emitWarning(
    `PNG figures: no font draws ${list}; drew code points instead; install a font that contains them`,
    { code: "ALEXNET_GLYPH" },
  );
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * Path of Unifont as a TrueType file, written once to the cache, or to the temporary folder if the cache is read-only; undefined if neither
 * is writable.
 */
function unifontFiles(): readonly string[] {
  const woff = readFileSync(resolve("@fontsource/unifont/files/unifont-latin-400-normal.woff"));
  const length = woff.readUInt32BE(16);
  for (const folder of [cacheFolder("fonts", {}), join(tmpdir(), "alexnet-fonts")]) {
    const file = join(folder, `unifont-${length}.ttf`);
    try {
      if (statSync(file, { throwIfNoEntry: false })?.size === length) return [file];
      mkdirSync(folder, { recursive: true });
      const unfinished = `${file}.${randomUUID()}`;
      writeFileSync(unfinished, unpackWoff(woff));
      renameSync(unfinished, file);
      return [file];
    } catch {
      // Try the next folder.
    }
  }
  return [];
}

/**
 * Converts a WOFF file to TrueType: the same tables, inflated, after a directory of another layout.
 *
 * Source: W3C, “WOFF File Format 1.0”, §3 to §5.
 */
export function unpackWoff(woff: Buffer): Buffer {
  const tables = woff.readUInt16BE(12);
  const font = Buffer.alloc(woff.readUInt32BE(16));
  const power = Math.floor(Math.log2(tables));
  font.writeUInt32BE(woff.readUInt32BE(4), 0);
  font.writeUInt16BE(tables, 4);
  font.writeUInt16BE(16 * 2 ** power, 6);
  font.writeUInt16BE(power, 8);
  font.writeUInt16BE(16 * (tables - 2 ** power), 10);
  let at = 12 + 16 * tables;
  for (let i = 0; i < tables; i++) {
    const entry = 44 + 20 * i;
    const [offset, packed, length] = [4, 8, 12].map((field) => woff.readUInt32BE(entry + field)) as [
      number,
      number,
      number,
    ];
    const data = woff.subarray(offset, offset + packed);
    const record = 12 + 16 * i;
    woff.copy(font, record, entry, entry + 4);
    woff.copy(font, record + 4, entry + 16, entry + 20);
    font.writeUInt32BE(at, record + 8);
    font.writeUInt32BE(length, record + 12);
    (packed < length ? inflateSync(data) : data).copy(font, at);
    at += 4 * Math.ceil(length / 4);
  }
  return font;
}

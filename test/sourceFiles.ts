/** The project's own files as text, for tests that hold its structure. Reads lines, compiles nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export interface SourceFile {
  /** From the root, with slashes: `src/errors.ts`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** What stands between the quotes, from the root if it is relative: `src/errors.ts`, `node:fs`, `zod`. */
  readonly target: string;
  /** Whether it names another file of the project. */
  readonly own: boolean;
}

/** Every program file below the folders, in any language; a folder without files is not in a clone. */
export function sourceFiles(...folders: readonly string[]): readonly SourceFile[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => /\.(ts|mjs|js|py)$/.test(name))
        .sort()
        .map((name) => posix.join(folder, name))
        .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") })),
    );
}

const COMMENT_OR_STRING =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/(?=[dgimsuvy]*[.,;)\s])/g;

/** A comment or a text of a program. */
export interface Piece {
  readonly path: string;
  /** Line of its beginning, from 1. */
  readonly line: number;
  /** With its delimiters, except that successive line comments are one piece. */
  readonly text: string;
}

/** The comments of a program. Line comments below each other are one comment. */
export function commentsOf({ path, text }: SourceFile): readonly Piece[] {
  return piecesOf({ path, text: text.replace(/(^ *\/\/[^\n]*)(?:\n *\/\/[^\n]*)+/gm, joinLines) }, (piece) =>
    /^\/[/*]/.test(piece),
  );
}

/** Joins line comments, with their line breaks after them, so that later lines keep their numbers. */
function joinLines(block: string): string {
  const lines = block.split("\n");
  const [first = "", ...rest] = lines;
  return [first, ...rest.map((line) => line.replace(/^ *\/\/ */, ""))].join(" ") + "\n".repeat(lines.length - 1);
}

/** String literals and templates of a program, without the values inserted into templates. */
export function stringsOf(file: SourceFile): readonly Piece[] {
  return piecesOf(file, (piece) => /^["'`]/.test(piece)).map((piece) => ({
    ...piece,
    text: piece.text.replace(/\$\{[^{}]*\}/g, "…"),
  }));
}

function piecesOf({ path, text }: SourceFile, isWanted: (piece: string) => boolean): readonly Piece[] {
  return [...text.matchAll(COMMENT_OR_STRING)]
    .filter(([piece]) => isWanted(piece))
    .map(({ 0: piece, index }) => ({ path, line: text.slice(0, index).split("\n").length, text: piece }));
}

/** The program without its comments; the lines stay where they are. */
export function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_STRING, (piece) =>
    piece.startsWith("//") || piece.startsWith("/*") ? piece.replace(/[^\n]/g, "") : piece,
  );
}

/** The program without comments, strings, templates and regular expressions. */
export function codeOnly(text: string): string {
  return text.replace(COMMENT_OR_STRING, (piece) => piece.replace(/[^\n]/g, ""));
}

const FROM = /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*"([^"]+)"/gm;
const BARE = /^\s*import\s*"([^"]+)"/gm;
const CALL = /\b(?:import|require|require\.resolve)\(\s*["'`]([^"'`$]+)/g;

/** Imports and re-exports, static, dynamic and of types alike; a package by its name without the path inside. */
export function importsOf({ path, text }: SourceFile): readonly Import[] {
  const code = withoutComments(text);
  return [FROM, BARE, CALL].flatMap((pattern) =>
    [...code.matchAll(pattern)].map(([, specifier = ""]) =>
      specifier.startsWith(".")
        ? { target: posix.join(posix.dirname(path), specifier), own: true }
        : { target: packageName(specifier), own: false },
    ),
  );
}

function packageName(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

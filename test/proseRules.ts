/** Rules of the project's English for comments, texts and help, as checks that return their findings. */
import { commentsOf, type Piece, type SourceFile, stringsOf } from "./sourceFiles.ts";

const OPENINGS = "Of|What|Whether|Where|Which|How|Whose|As";
/** A first word that makes a comment a fragment or a relative clause. */
const opening = new RegExp(`^(?:${OPENINGS})\\b`, "i");
/** The same word at the start of a later paragraph or list item. */
const laterOpening = new RegExp(`\\n\\s*(?:\\*\\s*)?\\n\\s*\\*\\s*(?:- )?(?:${OPENINGS})\\b`);

/** Comments that begin with such a word. */
export function commentOpenings(files: readonly SourceFile[]): readonly string[] {
  return files
    .flatMap(commentsOf)
    .filter(({ text }) => opening.test(text.replace(/^\/(?:\/|\*+)\s*(?:\*\s*)?/, "")) || laterOpening.test(text))
    .map(show);
}

/** Words with a better term, the term, and the passages that keep the word. */
export interface WordRule {
  readonly word: string;
  readonly pattern: RegExp;
  readonly instead: string;
  readonly allowed: readonly { readonly text: string; readonly reason: string }[];
}

/** Each rule's pattern ignores names in camel case, such as `mapPictures` and `shareOfCeiling`. */
export const wordRules: readonly WordRule[] = [
  {
    word: "picture",
    pattern: /\bpictures?\b/gi,
    instead: "image (photo for a user's file)",
    allowed: [
      { text: "--pictures", reason: "flag" },
      { text: "--picture", reason: "flag" },
      { text: "`pictures`", reason: "JSON key" },
      { text: '"pictures"', reason: "JSON key" },
      { text: "`picture`", reason: "JSON key of a pack's lines" },
      { text: "10,000 training pictures", reason: "part of a recipe, which runs store and resuming compares" },
      { text: "for pictures of 28 to 64 pixels", reason: "part of a recipe" },
      { text: "for small pictures: conv1", reason: "part of a network, which runs store and resuming compares" },
    ],
  },
  {
    word: "share",
    // The noun; the verb is common English.
    pattern: /\b(?:(?:an?|the|its|their|this|same|random) shares?|shares?(?= of\b))\b/gi,
    instead: "fraction",
    allowed: [],
  },
  { word: "go on", pattern: /\b(?:go|goes|going|went|gone) on\b/gi, instead: "resume, continue", allowed: [] },
  { word: "so many", pattern: /\bso many\b/gi, instead: "n, the number of", allowed: [] },
  { word: "behind", pattern: /\bbehind\b/gi, instead: "after, then", allowed: [] },
  { word: "anew", pattern: /\banew\b/gi, instead: "again, from scratch", allowed: [] },
  { word: "told", pattern: /\btold\b/gi, instead: "called with, reported", allowed: [] },
];

/** Uses of a word in comments and texts. */
export function usesInSource(files: readonly SourceFile[], rule: WordRule): readonly string[] {
  return files
    .flatMap((file) => [...commentsOf(file), ...stringsOf(file)])
    .flatMap((piece) => matchesOf(piece.text, rule).map(() => show(piece)));
}

/** Uses of a word in a text, without the allowed passages. */
export function matchesOf(text: string, { pattern, allowed }: WordRule): readonly string[] {
  const rest = allowed.reduce((left, passage) => left.replaceAll(passage.text, ""), text);
  return rest.match(pattern) ?? [];
}

/** Help texts that begin with one of the openings, any case. */
export function helpOpenings(help: readonly string[]): readonly string[] {
  return help.filter((text) => opening.test(text));
}

function show({ path, line, text }: Piece): string {
  return `${path}:${line}: ${text.replace(/\s+/g, " ").slice(0, 100)}`;
}

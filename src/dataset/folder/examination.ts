/** What is learnt of a picture by reading the whole of it. */
import type { ImageFormat } from "../../image/files/format.ts";

/** A picture that can be trained with. */
export interface PictureFacts {
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly hash: string;
  /** By its content, whatever its name says. */
  readonly format: ImageFormat;
  /** Upright. */
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** What a file is, or what is wrong with it. */
export type Examination = PictureFacts | { readonly error: string };

/** A file and what was learnt of it. */
export interface ExaminedFile {
  /** As it was given. */
  readonly path: string;
  /** `error` begins with what was expected, without the file's name. */
  readonly result: Examination;
}

/** Reads and decodes every file, whichever order they come in. Never fails because of a file. */
export type Examine = (paths: readonly string[]) => AsyncIterable<ExaminedFile>;

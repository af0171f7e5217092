/** Views of the page, and the files that they take. */

/** A dropped or pasted file. */
export interface TakenFile {
  readonly file: File;
  /** Name of the folder that directly contains it; undefined for a file that was dropped by itself. */
  readonly folder: string | undefined;
  /** Class of the card that it was dropped on. */
  readonly className: string | undefined;
}

/** Views of the page, and what they take. */
export interface View {
  readonly element: HTMLElement;
  /** Renders everything in the page's language. */
  render(): void;
  /** Takes files that were dropped or pasted. */
  takeFiles(files: readonly TakenFile[]): void;
}

/** Commands and their options as data: parsing, help, completion and docs/commands.md are derived from it. */

/** Headings of `alexnet --help`, in order. */
export const commandGroups = ["Train", "Use", "Look inside", "Machine"] as const;

/** A command as listed by `alexnet --help`. Its options and its handler are loaded when it is called. */
export interface CommandEntry {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly group: (typeof commandGroups)[number];
  readonly load: () => Promise<CommandSpec>;
}

/** Arguments, options, help text and handler of a command. */
export interface CommandSpec {
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly Example[];
  /** Text after the examples, in lines of at most 80 columns. */
  readonly notes?: string;
  /** Called with the value of each argument, then the flags, then the `Invocation`. */
  readonly run: (...given: never) => Promise<void>;
}

/** A command line with an optional explanation. */
export type Example = readonly [line: string, explanation?: string];

/** A positional argument. */
export interface ArgumentSpec {
  /** `<run>` is required, `[dir]` is optional, `<image...>` takes one or more. */
  readonly name: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** Values for completion, if others are valid too. */
  readonly suggestions?: readonly string[];
  readonly default?: unknown;
}

/** One option of a command. */
export interface OptionSpec {
  /** Flag with its placeholder, such as `--epochs <n>`; a switch has none. */
  readonly flags: string;
  /** The value with its unit or bounds, and its default. */
  readonly help: string;
  readonly choices?: readonly string[];
  /** Values for completion, if others are valid too. */
  readonly suggestions?: readonly string[];
  /** Converts the text of the value. Throws an Error with the expected and the given text. */
  readonly parse?: (text: string) => unknown;
  readonly default?: unknown;
  readonly required?: boolean;
  /** Options that this one excludes, as keys of the parsed flags. */
  readonly conflicts?: readonly string[];
  /** Undefined for the first options, which have no heading. */
  readonly section?: OptionSection;
}

/** Options with a heading of their own in help. */
export interface OptionSection {
  /** For example `Optimizer`. */
  readonly heading: string;
  /** Command whose help describes the options in full; the help of others lists them and points there. */
  readonly command: string;
}

/** Context of a call: its arguments, all commands, and a way to report wrong usage. */
export interface Invocation {
  /** Arguments after `alexnet`. */
  readonly argv: readonly string[];
  /** All commands. */
  readonly commands: readonly CommandEntry[];
  /** Fails as wrong usage: prints the message, exit code 2. */
  fail(message: string): never;
}

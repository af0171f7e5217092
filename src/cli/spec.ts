/** Commands and their options as data: parsing, help, completion and docs/commands.md are derived from these. */

/** Headings of `alexnet --help`, in order. */
export const commandGroups = ["Train", "Use", "Look inside", "Machine"] as const;

/** A command as `alexnet --help` lists it. Its options and its handler are loaded when it is called. */
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

/** A command line and, where it needs one, an explanation. */
export type Example = readonly [line: string, explanation?: string];

/** A positional argument. */
export interface ArgumentSpec {
  /** `<run>` is required, `[dir]` is optional, `<image...>` takes one or more. */
  readonly name: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** Values for completion, where others are valid too. */
  readonly suggestions?: readonly string[];
  readonly default?: unknown;
}

/** One option of a command. */
export interface OptionSpec {
  /** The flag with the placeholder of its value, such as `--epochs <n>`; a switch has none. */
  readonly flags: string;
  /** Value, unit or bounds, default. */
  readonly help: string;
  readonly choices?: readonly string[];
  /** Values for completion, where others are valid too. */
  readonly suggestions?: readonly string[];
  /** Converts the text of the value. Throws an Error that says what was expected and what was given. */
  readonly parse?: (text: string) => unknown;
  readonly default?: unknown;
  readonly required?: boolean;
  /** Names of options, as keys of the parsed flags, that this one excludes. */
  readonly conflicts?: readonly string[];
  /** Undefined for the options listed first, without a heading of their own. */
  readonly section?: OptionSection;
}

/** Options with a heading of their own in help. */
export interface OptionSection {
  /** Such as `Optimizer`. */
  readonly heading: string;
  /** The command whose help describes them in full; the help of others names them and points there. */
  readonly command: string;
}

/** The call of a command: its words, the table, and the way to refuse them. */
export interface Invocation {
  /** The words after `alexnet`. */
  readonly argv: readonly string[];
  /** All commands. */
  readonly commands: readonly CommandEntry[];
  /** Ends the command as wrong usage: prints the message, exit code 2. */
  fail(message: string): never;
}

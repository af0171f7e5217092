/** Commands and their options as data: parsing, help, completion and docs/commands.md are derived from these. */

/** One option of a command. */
export interface OptionSpec {
  /** The flag with the placeholder of its value, such as `--epochs <n>`; a switch has none. */
  readonly flags: string;
  /** Value, unit or bounds, default. */
  readonly help: string;
  readonly choices?: readonly string[];
  /** Converts the text of the value. Throws an Error that says what was expected and what was given. */
  readonly parse?: (text: string) => unknown;
  readonly default?: unknown;
}

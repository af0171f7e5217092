/** Shell completion scripts, generated from the table of commands. Functions over 40 lines are each the text of one script. */
import { flagOf } from "./help.ts";
import type { ArgumentSpec, CommandEntry, OptionSpec } from "./spec.ts";

/** Completion of one value. */
interface Value {
  readonly name: string;
  /** Known values. */
  readonly words: readonly string[];
  readonly paths: "none" | "files" | "directories";
  readonly repeats: boolean;
  readonly optional: boolean;
}

interface Flag {
  readonly flag: string;
  readonly help: string;
  /** Undefined for a switch. */
  readonly value: Value | undefined;
}

interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly values: readonly Value[];
}

const pathsOf: Readonly<Record<string, Value["paths"]>> = {
  file: "files",
  image: "files",
  run: "files",
  network: "files",
  recipe: "files",
  dataset: "directories",
  dir: "directories",
};

const helpFlag: Flag = { flag: "--help", help: "display help for command", value: undefined };

/** The flags and values that each command completes. Loads all commands. */
export function describeCommands(commands: readonly CommandEntry[]): Promise<readonly CompletedCommand[]> {
  return Promise.all(
    commands.map(async ({ name, summary, load }) => {
      const { arguments: values = [], options = [] } = await load();
      const flags = options.map((option) => ({
        flag: flagOf(option.flags),
        help: option.help,
        value: option.flags.includes(" ") ? completionOf(option.flags.split(" ")[1] as string, option) : undefined,
      }));
      return {
        name,
        summary,
        flags: [...flags, helpFlag],
        values: values.map((argument) => completionOf(argument.name, argument)),
      };
    }),
  );
}

function completionOf(placeholder: string, { choices, suggestions }: ArgumentSpec | OptionSpec): Value {
  const name = placeholder.replace(/[^a-z-]/g, "");
  return {
    name,
    words: choices ?? suggestions ?? [],
    paths: choices ? "none" : (pathsOf[name] ?? "none"),
    repeats: placeholder.includes("..."),
    optional: placeholder.startsWith("["),
  };
}

/** The script of each shell. */
export const completionScripts = { bash, zsh, fish } as const;

function bash(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const flags = commands.map(({ name, flags }) => `    ${name}) words="${flags.map(({ flag }) => flag).join(" ")}" ;;`);
  const valued = commands.flatMap(({ name, flags }) =>
    flags.flatMap(({ flag, value }) => (value ? [[`"${name} ${flag}"`, value] as const] : [])),
  );
  const places = commands.flatMap(({ name, values }) => values.map((value, i) => ({ name, value, place: i + 1 })));
  // A pattern for every place after an argument that repeats comes after those for single places.
  const single = places.filter(({ value }) => !value.repeats);
  const repeating = places.filter(({ value }) => value.repeats);
  const positional = [
    bashCases(single.map(({ name, value, place }) => [`"${name} ${place}"`, value])),
    bashCases(repeating.map(({ name, value }) => [`"${name} "*`, value])),
  ];
  return `# bash completion for alexnet; load it with: source <(alexnet completion bash)

# Sets words and paths to what completes the value of a flag; fails for a switch.
_alexnet_flag() {
  case "$1 $2" in
${bashCases(valued)}
    *) return 1 ;;
  esac
}

# The same for the n-th argument of a command.
_alexnet_argument() {
  case "$1 $2" in
${positional.join("\n")}
    *) return 1 ;;
  esac
}

_alexnet_flags() {
  case "$1" in
${flags.join("\n")}
  esac
}

_alexnet() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  local words= paths= position=1 i line
  COMPREPLY=()
  # bash splits --flag=value into three words.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $previous == "=" ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then
    words="${names} help --help --version"
  elif [[ $command == help ]]; then
    words="${names}"
  elif [[ $current == -* ]]; then
    _alexnet_flags "$command"
  elif ! _alexnet_flag "$command" "$previous"; then
    for ((i = 2; i < COMP_CWORD; i++)); do
      if [[ \${COMP_WORDS[i]} != -* ]]; then
        ((position++))
      elif [[ \${COMP_WORDS[i+1]} == "=" ]]; then
        ((i += 2))
      elif _alexnet_flag "$command" "\${COMP_WORDS[i]}"; then
        ((i++))
      fi
    done
    words= paths=
    _alexnet_argument "$command" "$position"
  fi
  while IFS= read -r line; do
    COMPREPLY+=("$line")
  done < <(compgen -W "$words" -- "$current")
  [[ $paths ]] || return 0
  compopt -o filenames 2>/dev/null
  while IFS= read -r line; do
    COMPREPLY+=("$line")
  done < <(compgen -A "$paths" -- "$current")
}

complete -F _alexnet alexnet`;
}

/** Cases of a bash `case`, patterns with the same values in one. */
function bashCases(entries: readonly (readonly [pattern: string, value: Value])[]): string {
  const patterns = new Map<string, string[]>();
  for (const [pattern, { words, paths }] of entries) {
    const kind = paths === "none" ? "" : paths === "files" ? "file" : "directory";
    const action = [words.length > 0 ? `words="${words.join(" ")}"` : "", kind && `paths=${kind}`].filter(Boolean);
    const key = action.join(" ") || ":";
    patterns.set(key, [...(patterns.get(key) ?? []), pattern]);
  }
  return [...patterns].map(([action, list]) => `    ${list.join(" | ")}) ${action} ;;`).join("\n");
}

function zsh(commands: readonly CompletedCommand[]): string {
  const described = commands.map(({ name, summary }) => `        ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map(({ name, flags, values }) => {
    const specs = [
      ...flags.map(({ flag, help, value }) => {
        const text = `[${help.replace(/[\\\]:[]/g, "\\$&")}]`;
        return value
          ? `${value.repeats ? "*" : ""}${flag}=${text}:${value.name}:${zshAction(value)}`
          : `${flag}${text}`;
      }),
      ...values.map((value, i) => {
        const place = value.repeats ? "*:" : value.optional ? `${i + 1}::` : `${i + 1}:`;
        return `${place}${value.name}:${zshAction(value)}`;
      }),
    ];
    return `        ${name})\n          _arguments \\\n${specs.map((spec) => `            ${quoted(spec)}`).join(" \\\n")}\n          ;;`;
  });
  return `#compdef alexnet
# zsh completion for alexnet; load it after compinit with: source <(alexnet completion zsh)

_alexnet() {
  local context state state_descr line
  local -a commands
  typeset -A opt_args
  _arguments -C '(- *)--help[display help]' '(- *)--version[print the version]' '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      commands=(
${described.join("\n")}
      )
      _describe -t commands command commands
      ;;
    argument)
      case $line[1] in
${cases.join("\n")}
      esac
      ;;
  esac
}

if [[ $funcstack[1] == _alexnet ]]; then
  _alexnet "$@"
else
  compdef _alexnet alexnet
fi`;
}

function zshAction({ words, paths }: Value): string {
  const files = paths === "files" ? "_files" : "_files -/";
  if (paths === "none") return words.length > 0 ? `(${words.join(" ")})` : " ";
  return words.length > 0 ? `{compadd -- ${words.join(" ")}; ${files}}` : files;
}

function fish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, flags, values }) => {
    const after = `complete -c alexnet -n '__alexnet_is ${name}'`;
    return [
      `complete -c alexnet -n '__alexnet_is' -a ${name} -d ${fishQuoted(summary)}`,
      ...flags.map(({ flag, help, value }) => {
        const option = `${after} -l ${flag.slice(2)} -d ${fishQuoted(help)}`;
        return value ? `${option} ${fishValue(value, "-x")}` : option;
      }),
      ...values.map((value) => `${after} ${fishValue(value, "-f")}`),
    ];
  });
  return `# fish completion for alexnet; load it with: alexnet completion fish | source

# Succeeds if the command line names this command; without one, if it names none yet.
function __alexnet_is
    set -l words (commandline -opc)
    test "$words[2]" = "$argv[1]"
end

complete -c alexnet -e
complete -c alexnet -f
complete -c alexnet -n '__alexnet_is' -l help -d 'display help'
complete -c alexnet -n '__alexnet_is' -l version -d 'print the version'
${lines.join("\n")}`;
}

/** Flags of `complete` for a value; `without` is what excludes files. */
function fishValue({ words, paths }: Value, without: "-x" | "-f"): string {
  const directories = paths === "directories" ? ["(__fish_complete_directories)"] : [];
  const list = [...words, ...directories].join(" ");
  const offered = list === "" ? "" : ` -a ${fishQuoted(list)}`;
  if (paths === "files") return `${without === "-x" ? "-r -F" : "-F"}${offered}`;
  return `${without}${offered}`;
}

/** A word in single quotes, for bash and zsh. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

/** The command line parser, built from the table of commands. */
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { messageOf } from "../errors.ts";
import { terminalText } from "../escape.ts";
import { terminalWidth, wrap } from "../report/text.ts";
import { formatExamples, pointersOf } from "./help.ts";
import { runOf } from "./newestRun.ts";
import { otherToolHint } from "./otherTools.ts";
import {
  type ArgumentSpec,
  type CommandEntry,
  type CommandSpec,
  commandGroups,
  type Example,
  type Invocation,
  type OptionSpec,
} from "./spec.ts";

const startHere: readonly Example[] = [
  ["alexnet summary", "the networks"],
  ["alexnet train --epochs 0.25", "a first training run"],
  ["alexnet predict runs/… IMAGE", "classify an image"],
  ["alexnet pull torchvision", "ImageNet's 1000 classes, trained"],
];

/** Creates a parser that loads a command's options and handler when the command is called. */
export function createProgram(version: string, commands: readonly CommandEntry[], argv: readonly string[]): Command {
  const program = new Command("alexnet")
    .description("AlexNet image classification: train, evaluate, predict")
    .version(version)
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ helpWidth: terminalWidth })
    .configureOutput({
      writeOut: (text) => void process.stdout.write(terminalText(text)),
      writeErr: (text) => void process.stderr.write(terminalText(text)),
    })
    .addHelpText("after", `\nStart here:\n${formatExamples(startHere)}`);
  for (const group of commandGroups) {
    program.commandsGroup(`${group}:`);
    for (const { name, summary } of commands.filter((command) => command.group === group)) {
      program.command(name).description(summary).exitOverride().configureHelp({ helpWidth: terminalWidth });
    }
  }
  program.hook("preSubcommand", async (_program, command) => {
    const spec = await commands.find(({ name }) => name === command.name())?.load();
    if (spec) define(command, spec, { argv, commands, fail: (message) => command.error(`error: ${message}`) });
  });
  return program;
}

function define(command: Command, spec: CommandSpec, invocation: Invocation): void {
  const options = spec.options ?? [];
  for (const argument of spec.arguments ?? []) command.addArgument(toArgument(argument));
  for (const option of options) command.addOption(toOption(option, command.name()));
  const pointers = pointersOf(options, command.name()).map(([heading, flags]) => `${heading}\n${wrap(flags, "  ")}\n`);
  const text = [...pointers, `Examples:\n${formatExamples(spec.examples)}`].join("\n");
  command
    .configureOutput({
      outputError(message, write) {
        const unknown = /unknown option '([^']*)'/.exec(message)?.[1];
        const hint = unknown === undefined ? "" : otherToolHint(unknown, spec);
        // The parser's own suggestion is by similarity only.
        write(hint === "" ? message : `${message.split("\n")[0]}\n${hint}\n`);
      },
    })
    .addHelpText("after", `\n${text}${spec.notes === undefined ? "" : `\n${spec.notes}`}`)
    .action(async (...given: unknown[]) => {
      // The last argument is the command itself, the one before it its flags.
      const values = given.slice(0, -2).map((value, i) => withRuns(spec.arguments?.[i]?.name ?? "", value));
      await spec.run(...([...values, flagsWithRuns(spec, command.opts()), invocation] as never));
    });
}

/** Placeholders of a run. */
const standsForRun = /^[<[](?:run(?:\.\.\.)?|network)[>\]]$/;

/** Replaces stand-ins such as `latest` in the value of an argument or flag, if that is a run. The child of `train --live` gets a run that may not exist yet. */
function withRuns(placeholder: string, value: unknown): unknown {
  if (!standsForRun.test(placeholder) || process.send !== undefined) return value;
  if (Array.isArray(value)) return value.map((each) => withRuns(placeholder, each));
  return typeof value === "string" ? runOf(value) : value;
}

function flagsWithRuns({ options = [] }: CommandSpec, flags: Readonly<Record<string, unknown>>): object {
  const runs = options.flatMap(({ flags: text }) => {
    const [flag = "", placeholder = ""] = text.split(" ");
    // A run to resume exists, any other --run is a new one.
    return standsForRun.test(placeholder) || (flag === "--run" && flags["resume"] === true) ? [flag.slice(2)] : [];
  });
  return Object.fromEntries(
    Object.entries(flags).map(([key, value]) => [key, runs.includes(key) ? withRuns("<run>", value) : value]),
  );
}

function toArgument({ name, help, choices, default: value }: ArgumentSpec): Argument {
  const argument = new Argument(name, help);
  if (choices) argument.choices(choices);
  if (value !== undefined) argument.default(value);
  return argument;
}

/** Parser option for a command of this name. */
export function toOption(spec: OptionSpec, command: string): Option {
  const { flags, help, choices, parse, section } = spec;
  const option = new Option(flags, help).makeOptionMandatory(spec.required === true);
  if (choices) option.choices(choices);
  if (parse) option.argParser(reporting(parse));
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.conflicts) option.conflicts([...spec.conflicts]);
  if (section) option.helpGroup(`${section.heading} options:`).hideHelp(section.command !== command);
  return option;
}

/** Turns an error of the parser function into a usage error. */
function reporting(parse: (text: string) => unknown): (text: string) => unknown {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error));
    }
  };
}

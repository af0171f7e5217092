/** Command options for the settings of a run, derived from their table. */
import {
  choicesOf,
  flagOf,
  isArgument,
  readText,
  type Setting,
  type SettingCommand,
  type SettingTable,
} from "../settings/setting.ts";
import { type RunSettings, settings } from "../settings/settings.ts";
import type { ArgumentSpec, OptionSection, OptionSpec } from "./spec.ts";

const sections = new Map<string, OptionSection>();

/** Section of options that `train` describes in full. */
export function trainSection(heading: string): OptionSection {
  const section = sections.get(heading) ?? { heading, command: "train" };
  sections.set(heading, section);
  return section;
}

const options = new WeakMap<Setting, OptionSpec>();

/** Option of a setting: the same object for each call. */
function optionOf(key: string, setting: Setting): OptionSpec {
  const option = options.get(setting) ?? createOption(key, setting);
  options.set(setting, option);
  return option;
}

function createOption(key: string, setting: Setting): OptionSpec {
  const { value, suggestions, section } = setting;
  const choices = choicesOf(setting);
  return {
    flags: [flagOf(key, setting), ...(value === undefined ? [] : [value])].join(" "),
    help: helpOf(setting),
    ...(choices ? { choices } : {}),
    ...(suggestions ? { suggestions } : {}),
    ...(choices || value === undefined ? {} : { parse: (text: string) => readText(setting, text) }),
    ...(section === undefined ? {} : { section: trainSection(section) }),
  };
}

function helpOf({ help, default: value }: Setting): string {
  return value === undefined ? help : `${help} (default: ${value})`;
}

/** Options for the settings of a table that a command offers, in order. */
export function optionsOf(table: SettingTable, command: SettingCommand): readonly OptionSpec[] {
  return Object.entries(table).flatMap(([key, row]) =>
    row.commands.includes(command) && !isArgument(row) ? [optionOf(key, row)] : [],
  );
}

/** Options for the settings that a command offers. */
export function settingOptions(command: SettingCommand): readonly OptionSpec[] {
  return optionsOf(settings, command);
}

/** Option of one setting, for a command that lists it among its own. */
export function settingOption(key: keyof typeof settings): OptionSpec {
  const { section: _, ...option } = optionOf(key, settings[key]);
  return option;
}

/** Options of a table of labels, for a command that lists them among its own. */
export const tableOptions: readonly OptionSpec[] = (
  ["labels", "imageColumn", "labelColumn", "splitColumn", "labelSeparator", "labelColumns"] as const
).map(settingOption);

/** Values of `tableOptions`. */
export type TableFlags = Pick<
  RunSettings,
  "labels" | "imageColumn" | "labelColumn" | "splitColumn" | "labelSeparator" | "labelColumns"
>;

/** The data set argument of commands. */
export const datasetArgument: ArgumentSpec = {
  name: settings.dataset.value ?? "[dataset]",
  help: helpOf(settings.dataset),
  suggestions: settings.dataset.suggestions ?? [],
};

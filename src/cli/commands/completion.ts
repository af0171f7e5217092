/** `alexnet completion`. */
import { print } from "../output.ts";
import type { CommandSpec, Invocation } from "../spec.ts";

const shells = ["bash", "zsh", "fish"] as const;

export const completion: CommandSpec = {
  arguments: [{ name: "<shell>", help: "shell to print the script for", choices: shells }],
  examples: [
    ["source <(alexnet completion bash)", "in ~/.bashrc"],
    ["source <(alexnet completion zsh)", "in ~/.zshrc, after compinit"],
    ["alexnet completion fish | source", "in ~/.config/fish/config.fish"],
  ],
  notes: `
Completes commands, flags, their values, file and directory names.`,
  run: printScript,
};

async function printScript(shell: (typeof shells)[number], _flags: object, { commands }: Invocation): Promise<void> {
  const { completionScripts, describeCommands } = await import("../completionScripts.ts");
  print(completionScripts[shell](await describeCommands(commands)));
}

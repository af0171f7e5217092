/** The completion scripts: bash, which is everywhere, by what it completes; zsh and fish so if they are installed, else by their text. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commands } from "../src/cli/commands.ts";
import { flagOf } from "../src/cli/help.ts";
import { runMain } from "./mainOutput.ts";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

let folder: string;
const scripts = new Map<Shell, string>();
const fileOf = (shell: Shell) => join(folder, `completion.${shell}`);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-completion-"));
  for (const shell of shells) {
    const { exit, stdout } = await runMain("completion", shell);
    assert.equal(exit, 0);
    scripts.set(shell, stdout);
    await writeFile(fileOf(shell), stdout);
  }
  for (const name of ["my photo.png", "notes.txt"]) await writeFile(join(folder, name), "");
});
after(() => rm(folder, { recursive: true }));

function isInstalled(shell: Shell): boolean {
  return spawnSync(shell, ["--version"]).status === 0;
}

const whereInstalled = (shell: Shell) => ({ skip: isInstalled(shell) ? false : `${shell} is not installed` });

/** What bash offers at the end of each line, whose words are separated by one space. */
function offeredByBash(lines: readonly string[]): readonly (readonly string[])[] {
  const program = `source "$1"; shift
for line in "$@"; do
  COMP_WORDS=(); while IFS= read -r -d ' ' word; do COMP_WORDS+=("$word"); done <<< "$line "
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
  _alexnet
  printf '%s\\t' "\${COMPREPLY[@]}"
  echo
done`;
  const args = ["-c", program, "bash", fileOf("bash"), ...lines];
  const { status, stdout, stderr } = spawnSync("bash", args, { cwd: folder, encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split("\t").filter((word) => word !== ""));
}

const files = ["completion.bash", "completion.fish", "completion.zsh", "my photo.png", "notes.txt"];

test("bash: commands, flags, values of flags, arguments by their position, files", () => {
  const cases: readonly (readonly [line: string, offered: readonly string[]])[] = [
    ["alexnet tr", ["train"]],
    ["alexnet --v", ["--version"]],
    ["alexnet help comp", ["compare", "completion"]],
    ["alexnet train --eng", ["--engine"]],
    ["alexnet train --engine ", ["auto", "onednn", "wasm", "webgpu", "reference"]],
    // bash splits at =.
    ["alexnet train --engine =", ["auto", "onednn", "wasm", "webgpu", "reference"]],
    ["alexnet train --engine = r", ["reference"]],
    ["alexnet bench --precision b", ["bf16"]],
    ["alexnet train --epochs ", []],
    ["alexnet train c", ["cifar10"]],
    ["alexnet train --epochs 3 --nesterov c", ["cifar10"]],
    ["alexnet train --engine = onednn c", ["cifar10"]],
    ["alexnet train cifar10 ", []],
    ["alexnet completion ", ["bash", "zsh", "fish"]],
    ["alexnet completion bash ", []],
    ["alexnet predict tor", ["torchvision"]],
    ["alexnet predict run ", files],
    ["alexnet predict run a.png b.png my", ["my photo.png"]],
    ["alexnet similar run photos --query no", ["notes.txt"]],
    ["alexnet train --network alexnet-o", ["alexnet-owt"]],
    ["alexnet map run ", []],
    ["alexnet nothing ", []],
  ];
  const offered = offeredByBash(cases.map(([line]) => line));
  for (const [i, [line, expected]] of cases.entries()) {
    assert.deepEqual([...(offered[i] as readonly string[])].sort(), [...expected].sort(), line);
  }
});

test("bash: every flag of every command, with all its choices", async () => {
  const asked: { readonly line: string; readonly expected: readonly string[] }[] = [];
  for (const { name, load } of commands) {
    const { options = [] } = await load();
    const flags = options.map(({ flags }) => flagOf(flags));
    asked.push({ line: `alexnet ${name} -`, expected: [...flags, "--help"] });
    for (const { flags, choices } of options) {
      if (choices) asked.push({ line: `alexnet ${name} ${flagOf(flags)} `, expected: choices });
    }
  }
  const offered = offeredByBash(asked.map(({ line }) => line));
  for (const [i, { line, expected }] of asked.entries()) assert.deepEqual(offered[i], expected, line);
});

const PROMPT = "ready> ";

/** Types lines into an interactive shell, each after a prompt. Returns what its terminal shows. */
async function type(command: string, lines: readonly string[]): Promise<string> {
  const env = { ...process.env, ZDOTDIR: folder, TERM: "dumb", INPUTRC: "/dev/null" };
  const child = spawn("script", ["-qec", command, "/dev/null"], { cwd: folder, env });
  const left = [...lines, "exit\n"];
  let shown = "";
  let prompts = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    const seen = shown.split(PROMPT).length - 1;
    if (seen <= prompts) return;
    prompts = seen;
    child.stdin.write(left.shift() ?? "");
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  return shown;
}

const typed = [
  "alexnet pred\trun my\t\n",
  "alexnet train --precision b\t\n",
  "alexnet train --engine=ref\t\n",
  "alexnet completion z\t\n",
];
const completed = [
  "got predict run my photo.png",
  "got train --precision bf16",
  "got train --engine=reference",
  "got completion zsh",
];

/** Linux's `script` gives the shell a terminal. */
const terminal = process.platform === "linux" ? {} : { skip: "needs script of util-linux" };

test("bash on a terminal completes what is typed", terminal, async () => {
  const settings = `PS1='${PROMPT}'; unset HISTFILE; source '${fileOf("bash")}'; alexnet() { echo got "$@"; }\n`;
  await writeFile(join(folder, "bashrc"), settings);
  const shown = await type(`bash --rcfile '${join(folder, "bashrc")}' -i`, typed);
  for (const line of completed) assert.ok(shown.includes(line), `${line}:\n${shown}`);
});

test("zsh on a terminal completes what is typed", whereInstalled("zsh"), async () => {
  const settings = `PS1='${PROMPT}'; autoload -Uz compinit; compinit -u -D; source '${fileOf("zsh")}'\nalexnet() { print got "$@" }\n`;
  await writeFile(join(folder, ".zshrc"), settings);
  const shown = await type("zsh -d -i", typed);
  for (const line of completed) assert.ok(shown.includes(line), `${line}:\n${shown}`);
});

test("fish: commands, flags, values, files", whereInstalled("fish"), () => {
  const offered = (line: string) => {
    const program = `source '${fileOf("fish")}'; complete -C '${line}'`;
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", program], { cwd: folder, encoding: "utf8" });
    assert.equal(stderr, "");
    return stdout
      .trimEnd()
      .split("\n")
      .map((found) => found.split("\t")[0]);
  };
  assert.deepEqual(offered("alexnet pred"), ["predict"]);
  assert.deepEqual(offered("alexnet train --eng"), ["--engine"]);
  assert.deepEqual(offered("alexnet train --engine "), ["auto", "onednn", "wasm", "webgpu", "reference"]);
  assert.deepEqual(offered("alexnet completion z"), ["zsh"]);
  assert.ok(offered("alexnet predict run my").includes("my photo.png"));
  assert.deepEqual(offered("alexnet train --data-dir no"), [""]);
});

test("zsh and fish: every command, flag and choice, in text whose quotes are paired", async () => {
  const [zsh, fish] = [scripts.get("zsh") ?? "", scripts.get("fish") ?? ""];
  for (const { name, load } of commands) {
    const zshPart = zsh.split(`\n        ${name})\n`)[1]?.split("\n          ;;")[0] ?? "";
    const fishLines = fish.split("\n").filter((line) => line.includes(`'__alexnet_is ${name}'`));
    for (const { flags, choices = [] } of (await load()).options ?? []) {
      const flag = flagOf(flags);
      const inZsh = zshPart.split("\n").find((line) => line.includes(`${flag}${flags.includes(" ") ? "=" : ""}[`));
      const inFish = fishLines.find((line) => line.includes(` -l ${flag.slice(2)} `));
      for (const [shell, line] of [
        ["zsh", inZsh],
        ["fish", inFish],
      ]) {
        assert.ok(line, `${shell}: ${name} ${flag}`);
        assert.ok(line.includes(choices.join(" ")), `${shell}: ${name} ${flag}: ${choices}`);
      }
    }
  }
  // Up to what bash has no syntax for, which is not used, zsh's syntax is bash's.
  assert.equal(spawnSync("bash", ["-n", fileOf("zsh")], { encoding: "utf8" }).stderr, "");
  for (const line of fish.split("\n")) assert.match(line, /^(?:#.*|(?:[^'\\]|\\.|'(?:[^'\\]|\\.)*')*)$/);
});

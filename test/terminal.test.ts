/** The command in a real terminal: what tests that read pipes cannot see. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { builtCommand } from "./command.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

const showCursor = "\u001b[?25h";
const ctrlC = "\u0003";

interface Terminal {
  readonly process: ChildProcess;
  text(): string;
  readonly exit: Promise<unknown>;
}

/** Runs a command line in a terminal of its own, by the `script` program that every Linux has. */
function openTerminal(commandLine: string, cwd: string): Terminal {
  const child = spawn("script", ["--quiet", "--flush", "--return", "--command", commandLine, "/dev/null"], { cwd });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  return { process: child, text: () => text, exit: once(child, "close").then(([code]) => code) };
}

test("training draws its progress; after Ctrl-C, and after an error, the process ends and the cursor is back", async () => {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-terminal-"));
  try {
    const bin = await builtCommand();
    await mkdir(join(folder, "data"));
    await writeTinyDataset(join(folder, "data"), { train: 400, test: 20 });
    await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
    const train = `${process.execPath} ${bin} train --network tiny.json --data-dir data --threads 1 --batch-size 4`;

    const stopped = openTerminal(`env -u CI TERM=xterm-256color ${train} --epochs 500 --run stopped`, folder);
    while (!/images\/s .* left/.test(stopped.text())) {
      assert.equal(stopped.process.exitCode, null, stopped.text());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    stopped.process.stdin?.write(ctrlC);
    assert.equal(await stopped.exit, 130, stopped.text());
    assert.match(stopped.text(), /Saved\. Resume with: alexnet train --run stopped --resume/);
    assert.ok(stopped.text().lastIndexOf(showCursor) > stopped.text().lastIndexOf("images/s"));

    assert.ok(stopped.text().includes("\u001b[36m"), "the bar has a colour");

    const diverged = openTerminal(
      `TERM=xterm-256color NO_COLOR=1 ${train} --epochs 50 --learning-rate 1e30 --run diverged`,
      folder,
    );
    assert.equal(await diverged.exit, 3, diverged.text());
    assert.ok(!["\u001b[31m", "\u001b[36m"].some((code) => diverged.text().includes(code)), diverged.text());
    assert.match(diverged.text(), /start another run with a lower --learning-rate/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** The command in this process. */
import { main } from "../src/cli/main.ts";

/** Runs it with arguments; returns what it printed to standard output. */
export async function runMain(...args: string[]): Promise<{ readonly exit: number; readonly stdout: string }> {
  const written: string[] = [];
  const write = process.stdout.write;
  process.stdout.write = (text: string | Uint8Array) => written.push(String(text)) > 0;
  try {
    return { exit: await main(args), stdout: written.join("") };
  } finally {
    process.stdout.write = write;
    process.exitCode = 0;
  }
}

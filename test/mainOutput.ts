/** The command in this process. */
import { main } from "../src/cli/main.ts";

/** Runs it with arguments; returns its exit code and what it printed. Messages also go to this process's own standard error. */
export async function runMain(
  ...args: string[]
): Promise<{ readonly exit: number; readonly stdout: string; readonly stderr: string }> {
  const written: string[] = [];
  const write = process.stdout.write;
  const capture = (output: string | Uint8Array, ...rest: unknown[]): boolean => {
    // Bytes are what Node's test runner sends: the results of tests before this one.
    if (typeof output !== "string") return Reflect.apply(write, process.stdout, [output, ...rest]) as boolean;
    written.push(output);
    const done = rest.at(-1);
    if (typeof done === "function") done();
    return true;
  };
  const messages: string[] = [];
  const writeError = process.stderr.write;
  const observe = (...output: unknown[]): boolean => {
    messages.push(String(output[0]));
    return Reflect.apply(writeError, process.stderr, output) as boolean;
  };
  process.stdout.write = capture as typeof write;
  process.stderr.write = observe as typeof writeError;
  try {
    return { exit: await main(args), stdout: written.join(""), stderr: messages.join("") };
  } finally {
    process.stdout.write = write;
    process.stderr.write = writeError;
    process.exitCode = 0;
  }
}

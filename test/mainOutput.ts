/** The command in this process. */
import { main } from "../src/cli/main.ts";

/** Runs it with arguments; returns what it printed to standard output. */
export async function runMain(...args: string[]): Promise<{ readonly exit: number; readonly stdout: string }> {
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
  process.stdout.write = capture as typeof write;
  try {
    return { exit: await main(args), stdout: written.join("") };
  } finally {
    process.stdout.write = write;
    process.exitCode = 0;
  }
}

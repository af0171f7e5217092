/** A worker process in TypeScript: its arguments, and its lines of JSON. */
import { createInterface } from "node:readline";
import { type Answer, answer, type Command, type Computation, type WorkerRequest } from "./protocol.ts";

/** The worker's argument before the request: its own settings. */
export function workerSetting(): string {
  return process.argv.at(-2) ?? "";
}

/** Runs a worker until its input ends. */
export async function serveLines(create: (request: WorkerRequest) => Promise<Computation>): Promise<void> {
  const request: WorkerRequest = JSON.parse(process.argv.at(-1) ?? "");
  const computation = await create(request);
  await computation.step();
  writeLine({ ready: computation.description });
  for await (const line of createInterface({ input: process.stdin })) {
    const command: Command = JSON.parse(line);
    const before = process.cpuUsage();
    const answered = await answer(computation, command);
    const { user, system } = process.cpuUsage(before);
    writeLine("seconds" in answered ? { ...answered, cpuSeconds: (user + system) / 1e6 } : answered);
  }
}

function writeLine(line: Answer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

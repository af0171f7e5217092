/** Stop of commands that train. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { showTraining } from "./showTraining.ts";

/** Exit code that is set by work which a signal interrupts. */
async function exitCodeOf(work: (signal: AbortSignal) => { readonly end: string }): Promise<number | undefined> {
  try {
    await showTraining(async ({ signal }) => {
      process.emit("SIGTERM", "SIGTERM");
      return work(signal);
    });
    return process.exitCode as number | undefined;
  } finally {
    process.exitCode = undefined;
  }
}

test("the exit code is that of the signal if work stops, also before training; other errors stay", async () => {
  assert.equal(await exitCodeOf(() => ({ end: "interrupt" })), 143);
  assert.equal(await exitCodeOf(() => ({ end: "finished" })), undefined);
  const aborted = (signal: AbortSignal) => {
    throw signal.reason;
  };
  assert.equal(await exitCodeOf(aborted), 143);
  const broken = () => {
    throw new Error("broken");
  };
  await assert.rejects(exitCodeOf(broken), /broken/);
  assert.equal(process.listenerCount("SIGTERM"), 0);
});

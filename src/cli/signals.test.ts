import assert from "node:assert/strict";
import { test } from "node:test";
import { JOB_SIGNAL, onStopSignals, STOPPED_IN_JOB } from "./signals.ts";

test("the first signal of every kind aborts, with 128 plus its number; Ctrl-Break of Windows too", () => {
  for (const [name, exitCode] of [
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143],
    // No signal of other systems: there it is an event like any other.
    ["SIGBREAK", 149],
  ] as const) {
    let calls = 0;
    const stop = onStopSignals(() => calls++);
    process.emit(name, name);
    // Only SIGHUP may come again: a second signal of another kind ends the process.
    process.emit("SIGHUP", "SIGHUP");
    assert.deepEqual([stop.signal.aborted, stop.exitCode(), calls], [true, exitCode, 1], name);
    stop.end();
    assert.equal(process.listenerCount(name), 0);
  }
});

test("further signals stop work on request; a second signal calls onSecond with its exit code", () => {
  const seconds: number[] = [];
  // From Node.js 24 on, processes of the test runner write a diagnostic report at this signal.
  process.removeAllListeners(JOB_SIGNAL);
  const stop = onStopSignals(() => {}, { also: [JOB_SIGNAL], onSecond: (exitCode) => seconds.push(exitCode) });
  process.emit(JOB_SIGNAL, JOB_SIGNAL);
  assert.deepEqual([stop.signal.aborted, stop.exitCode()], [true, STOPPED_IN_JOB]);
  process.emit("SIGHUP", "SIGHUP");
  process.emit("SIGTERM", "SIGTERM");
  assert.deepEqual([stop.exitCode(), seconds], [STOPPED_IN_JOB, [143]]);
  stop.end();
  assert.equal(process.listenerCount(JOB_SIGNAL), 0);
  const usual = onStopSignals(() => {});
  assert.equal(process.listenerCount(JOB_SIGNAL), 0);
  usual.end();
});

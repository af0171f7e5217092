import assert from "node:assert/strict";
import { test } from "node:test";
import { retryWhileInUse } from "./inUse.ts";

test("Windows: a file that another program has open is tried again, for a while; other systems and errors fail at once", async () => {
  const failing = (code: string, failures: number) => {
    let calls = 0;
    const action = async () => {
      if (++calls <= failures) throw Object.assign(new Error(code), { code });
      return calls;
    };
    return { action, calls: () => calls };
  };
  assert.equal(await retryWhileInUse(failing("EBUSY", 3).action, "win32"), 4);
  for (const [code, platform] of [
    ["EBUSY", "linux"],
    ["ENOSPC", "win32"],
  ] as const) {
    const once = failing(code, 1);
    await assert.rejects(retryWhileInUse(once.action, platform), { code });
    assert.equal(once.calls(), 1);
  }
  const always = failing("EPERM", Infinity);
  await assert.rejects(retryWhileInUse(always.action, "win32"), { code: "EPERM" });
  assert.equal(always.calls(), 8);
});

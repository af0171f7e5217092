import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { answerCalls } from "./calls.ts";

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Answers of a worker's scope whose messages pass through a real channel. */
async function repliesOf(handlers: Parameters<typeof answerCalls>[0], methods: readonly string[]) {
  const { port1, port2 } = new MessageChannel();
  const replies: Reply[] = [];
  const scope = globalThis as unknown as {
    postMessage: unknown;
    onmessage(message: { readonly data: { readonly id: number; readonly method: string } }): void;
  };
  scope.postMessage = (reply: Reply) => port1.postMessage(reply);
  answerCalls(handlers);
  const all = new Promise<void>((resolve) => {
    port2.on("message", (reply: Reply) => {
      if (replies.push(reply) === methods.length) resolve();
    });
  });
  try {
    for (const [id, method] of methods.entries()) scope.onmessage({ data: { id, method } });
    await all;
  } finally {
    port2.close();
  }
  return replies.toSorted((a, b) => a.id - b.id);
}

test("each call is answered: also one that throws at once, and one whose result cannot be sent", async () => {
  const handlers = {
    works: async () => 1,
    rejects: async () => Promise.reject(new Error("rejected")),
    throws: (): Promise<never> => {
      throw new Error("thrown");
    },
    unsendable: async () => () => {},
  };
  const [works, rejects, throws, unsendable] = await repliesOf(handlers, Object.keys(handlers));
  assert.deepEqual(works, { id: 0, result: 1 });
  assert.deepEqual(rejects, { id: 1, error: "rejected" });
  assert.deepEqual(throws, { id: 2, error: "thrown" });
  assert.match(unsendable?.error ?? "", /could not be cloned/);
});

test("remedies reach the page, except by flags of the command line", async () => {
  const messages = [
    ["fc6: 625 MiB are too large; use a smaller --batch-size", "fc6: 625 MiB are too large"],
    ["ants: 1 image; add images, or remove the class", "ants: 1 image; add images, or remove the class"],
  ] as const;
  const handlers = Object.fromEntries(messages.map(([message], i) => [i, () => Promise.reject(new Error(message))]));
  const replies = await repliesOf(handlers, Object.keys(handlers));
  assert.deepEqual(
    replies.map(({ error }) => error),
    messages.map(([, shown]) => shown),
  );
});

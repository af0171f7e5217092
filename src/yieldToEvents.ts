/** A pause for timers, signals and input between blocking calls. */

/**
 * Resolves after the event loop has run. Native calls and plain loops block timers, signals and a page's input: a loop of them awaits this between
 * iterations. Browsers have no `setImmediate`, and delay a nested `setTimeout` by 4 ms: there it is a message to itself.
 */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else postToSelf(resolve);
  });
}

function postToSelf(resolve: () => void): void {
  const { port1, port2 } = new MessageChannel();
  const onmessage = () => {
    port1.close();
    resolve();
  };
  // The types of Node.js, which this is compiled with, leave this property of browsers out.
  Object.assign(port1, { onmessage });
  port2.postMessage(null);
}

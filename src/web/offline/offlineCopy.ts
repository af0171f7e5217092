/** The copy of the page's files in the browser, which the service worker keeps. */
import { t } from "../language.ts";

/** True if this page was loaded through the service worker. Pages without storage have none. */
export function isFromCopy(): boolean {
  try {
    return navigator.serviceWorker?.controller != null;
  } catch {
    return false;
  }
}

/** Starts the service worker at `address`. Resolves once everything is copied; rejects with Error if the browser refuses. */
export async function keepOffline(address: string): Promise<void> {
  if (!isSecureContext || !("serviceWorker" in navigator)) throw new Error(t("needsSecureContext"));
  const { active, waiting, installing } = await navigator.serviceWorker.register(address);
  const worker = active ?? waiting ?? installing;
  if (!worker || worker.state === "activated") return;
  await new Promise<void>((resolve, reject) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error(t("copyFailed")));
    });
  });
}

/** The end of the page: the choice of what computes, threads, and the copy for use without a network. */
import type { GpuAdapter } from "../engine/webgpu/api.ts";
import { computationField } from "./computation.ts";
import { fill, h } from "./dom.ts";
import { t } from "./language.ts";
import { isFromCopy } from "./offline/offlineCopy.ts";
import { findAdapter } from "./worker/engines.ts";

/** The part of the page. */
export interface Footer {
  readonly element: HTMLElement;
  /** Renders everything in the page's language. */
  render(): void;
  /** Says that the page works without a network, or the problem that prevents it. */
  showOffline(problem?: string): void;
}

/** Creates the part; `isServed` is true if a server predicts. */
export function createFooter(isServed: boolean): Footer {
  const element = h("footer");
  // Now: the service worker takes over the page once it has copied it.
  const isCopy = isFromCopy();
  let adapter: GpuAdapter | undefined;
  let offline: { readonly problem: string | undefined } | undefined;

  function render(): void {
    const kept =
      offline && (offline.problem === undefined ? t("offline") : t("notOffline", { problem: offline.problem }));
    const oneThread = offline && offline.problem === undefined && !isCopy ? "oneThreadNow" : "oneThread";
    const threads = crossOriginIsolated ? t("threads", { count: navigator.hardwareConcurrency }) : t(oneThread);
    const texts = [t(isServed ? "served" : "local"), threads, kept];
    fill(element, computationField(adapter), ...texts.map((text) => text && h("p", {}, text)));
  }

  async function nameAdapter(): Promise<void> {
    adapter = await findAdapter().catch(() => undefined);
    render();
  }

  render();
  void nameAdapter();
  return {
    element,
    render,
    showOffline(problem) {
      offline = { problem };
      render();
    },
  };
}

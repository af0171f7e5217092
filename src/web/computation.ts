/** The choice of what computes, the same in all views: a control, its memory, and texts about the engine in use. */
import { isSoftware, nameOf } from "../engine/webgpu/adapter.ts";
import type { GpuAdapter } from "../engine/webgpu/api.ts";
import { field, select } from "./dom.ts";
import { t } from "./language.ts";
import { recall, remember } from "./remembered.ts";
import { type Computation, computations, type EngineUse } from "./worker/engines.ts";

const KEY = "alexnet-computation";

let current: Computation = computations.find((each) => each === recall(KEY)) ?? "auto";
let onChange = () => {};

/** The reader's choice. */
export function chosenComputation(): Computation {
  return current;
}

/** Calls `react` whenever the reader chooses; networks in use are then compiled again. */
export function onComputation(react: () => void): void {
  onChange = react;
}

/** The control; `adapter` is the browser's graphics adapter. */
export function computationField(adapter: GpuAdapter | undefined): HTMLElement {
  const names = {
    auto: t("computationAuto"),
    webgpu: t("computationGpu", { adapter: nameFor(adapter) }),
    wasm: "WebAssembly",
  };
  const choose = (chosen: Computation) => {
    current = chosen;
    remember(KEY, chosen);
    onChange();
  };
  return field(
    t("computation"),
    select(
      computations.map((each) => [each, names[each]]),
      current,
      choose,
    ),
  );
}

function nameFor(adapter: GpuAdapter | undefined): string {
  if (!adapter) return t("noAdapter");
  return isSoftware(adapter) ? t("softwareAdapter", { adapter: nameOf(adapter) }) : nameOf(adapter);
}

/** The engine in use, with the reason why WebGPU is not. */
export function engineText({ description, isSoftware: isSlow, problem }: EngineUse): string {
  const note = isSlow ? t("softwareNote") : problem && t("notWebGpu", { problem });
  return note ? `${description}. ${note}` : description;
}

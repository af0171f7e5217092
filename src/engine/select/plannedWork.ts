/** Planned work of the engines that plan it. */
import type { CompileRequest } from "../engine.ts";
import type { PlannedWork } from "../plannedWork.ts";
import { countWork } from "../webgpu/plannedWork.ts";
import type { CreatedEngineName } from "./engineNames.ts";

const counters: { readonly [N in CreatedEngineName]?: (request: CompileRequest) => PlannedWork } = {
  webgpu: countWork,
};

/** Work of a training step on an engine, with an update of each parameter; undefined for engines that do not plan it. */
export function plannedWork(engine: string, request: CompileRequest): PlannedWork | undefined {
  return Object.hasOwn(counters, engine) ? counters[engine as CreatedEngineName]?.(request) : undefined;
}

/** `alexnet doctor`. */
import type { Engine } from "../../engine/engine.ts";
import type { FoundLibrary } from "../../engine/onednn/native/find.ts";
import type { ProcessorShare } from "../../engine/onednn/threads.ts";
import { describeMachine, type Machine } from "../../engine/select/machine.ts";
import { messageOf } from "../../errors.ts";
import { jsonOption } from "../options.ts";
import { print, printJson } from "../output.ts";
import type { CommandSpec } from "../spec.ts";

export const doctor: CommandSpec = {
  options: [jsonOption],
  examples: [["alexnet doctor", "what is installed, and what is missing"], ["alexnet doctor --json"]],
  run: examineMachine,
};

interface Diagnosis {
  readonly machine: Machine & Omit<ProcessorShare, "threads">;
  /** The default of `--threads`. */
  readonly threads: number;
  readonly libraries: readonly FoundLibrary[];
  /** Engine of `--engine onednn`, or the reason why there is none. */
  readonly onednn:
    | { readonly engine: string; readonly precisions: Engine["inferencePrecisions"] }
    | { readonly problem: string };
  /** Engine of `--engine webgpu`, or the reason why there is none. */
  readonly webgpu: { readonly engine: string; readonly isSoftware: boolean } | { readonly problem: string };
  /** Library and launcher of `train --processes`, or the reason why there are none. */
  readonly mpi: { readonly library: string; readonly launcher: string | null } | { readonly problem: string };
  readonly datasets: readonly { readonly name: string; readonly source: string | null }[];
}

async function examineMachine({ json }: { readonly json?: boolean }): Promise<void> {
  const diagnosis = await diagnose();
  if (json) printJson(diagnosis);
  else print(formatDiagnosis(diagnosis));
  if ("problem" in diagnosis.onednn) process.exitCode = 1;
}

async function diagnose(): Promise<Diagnosis> {
  const { datasets } = await import("../../dataset/sources/datasets.ts");
  const { findOneDnn } = await import("../../engine/onednn/native/find.ts");
  const { processorShare } = await import("../../engine/onednn/threads.ts");
  const { threads, ...share } = processorShare();
  return {
    machine: { ...describeMachine(), ...share },
    threads,
    libraries: findOneDnn(),
    onednn: await tryOneDnn(),
    webgpu: await tryWebGpu(),
    mpi: await tryMpi(),
    datasets: await Promise.all(
      datasets.map(async ({ name, locate }) => ({ name, source: (await locate({})) ?? null })),
    ),
  };
}

async function tryOneDnn(): Promise<Diagnosis["onednn"]> {
  const { selectEngine } = await import("../../engine/select/selectEngine.ts");
  try {
    const { engine } = await selectEngine("onednn");
    engine.close();
    return { engine: engine.description, precisions: engine.inferencePrecisions };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

async function tryWebGpu(): Promise<Diagnosis["webgpu"]> {
  const { selectEngine } = await import("../../engine/select/selectEngine.ts");
  try {
    const { engine, warning } = await selectEngine("webgpu");
    engine.close();
    return { engine: engine.description, isSoftware: warning !== undefined };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

function formatWebGpu(webgpu: Diagnosis["webgpu"]): string {
  if ("problem" in webgpu) return `only needed for --engine webgpu. ${webgpu.problem}`;
  return `${webgpu.engine}${webgpu.isSoftware ? ": slower than the other engines" : ""}`;
}

/** Engine of `--engine auto` without oneDNN. */
function withoutOneDnn(webgpu: Diagnosis["webgpu"]): string {
  return "engine" in webgpu && !webgpu.isSoftware ? webgpu.engine : "wasm, several times slower than oneDNN";
}

async function tryMpi(): Promise<Diagnosis["mpi"]> {
  const { findMpi } = await import("../../communication/mpi/library.ts");
  const { findLauncher } = await import("../launch.ts");
  try {
    const { path, implementation, version } = findMpi(process.env);
    const launcher = findLauncher();
    return {
      library: `${implementation.name} ${version} at ${path}`,
      launcher: launcher ? `mpirun of ${launcher.name} ${launcher.version}`.trimEnd() : null,
    };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

function formatMpi(mpi: Diagnosis["mpi"]): string {
  if ("problem" in mpi) return `only needed for --processes. ${mpi.problem}`;
  const { library, launcher } = mpi;
  return `${library}, ${launcher ?? "without mpirun on the PATH"}`;
}

function formatDiagnosis({ machine, threads, libraries, onednn, webgpu, mpi, datasets: found }: Diagnosis): string {
  const rows: readonly (readonly [string, string])[] = [
    ["alexnet", machine.alexnet],
    ["Node.js", machine.node],
    ["system", machine.system],
    ["processor", `${machine.cpu}, ${formatShare(machine)}`],
    ["threads", `${threads}, unless --threads says otherwise`],
    ...libraries.map(({ path, version, problem }): readonly [string, string] => [
      "oneDNN",
      `${version} at ${path}${problem === undefined ? "" : ` ${problem}`}`,
    ]),
    ...("engine" in onednn
      ? ([
          ["engine", onednn.engine],
          ["precisions", formatPrecisions(onednn.precisions)],
        ] as const)
      : ([["engine", `${withoutOneDnn(webgpu)}. ${onednn.problem}`]] as const)),
    ["WebGPU", formatWebGpu(webgpu)],
    ["MPI", formatMpi(mpi)],
    ...found.map(({ name, source }): readonly [string, string] => [name, source ?? "not on this machine"]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** Notes on each format, with and without instructions of the processor for it. */
function formatPrecisions(precisions: Engine["inferencePrecisions"]): string {
  const notes = {
    f32: { native: "f32", emulated: "f32" },
    bf16: { native: "bf16", emulated: "bf16 (no instructions for it: slower than f32)" },
    int8: { native: "int8 (inference)", emulated: "int8 (inference; without VNNI, slower than with it)" },
  };
  return precisions.map(({ name, native }) => notes[name][native ? "native" : "emulated"]).join(", ");
}

function formatShare({ processors, cores, quota }: Diagnosis["machine"]): string {
  const counted = cores ?? processors;
  const limit = quota === undefined ? "" : `, limited to the CPU time of ${quota}`;
  const threads = processors > counted ? ` (${processors} hardware threads)` : "";
  return `${counted} core${counted === 1 ? "" : "s"}${threads} for this process${limit}`;
}

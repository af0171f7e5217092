/** Participants of a comparison: this project, and its peers, untuned and tuned. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { InferencePrecision, Precision } from "../../src/engine/engine.ts";
import { AlexNetError } from "../../src/errors.ts";
import { cacheFolder } from "./debianRoot.ts";
import type { Mode, WorkerRequest } from "./protocol.ts";
import type { Environment, Torch } from "./python.ts";

/** One way of computing a network. */
export interface Variant {
  readonly name: string;
  readonly precision: InferencePrecision;
  /** Dropout in the step that is checked: with the masks that our engines draw, or none. */
  readonly dropout: "our masks" | "none";
  /** What starts its worker. */
  command(request: WorkerRequest): readonly string[];
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const node = [process.execPath, "--import", "tsx"];

/** This project. */
export function ownVariant(precision: InferencePrecision): Variant {
  return {
    name: "alexnet",
    precision,
    dropout: "our masks",
    command: (request) => [...node, script("ownWorker.ts"), JSON.stringify(request)],
  };
}

/** Use of PyTorch. All members except the environment are passed to torch_worker.py, which documents them. */
interface TorchUse {
  readonly name: string;
  readonly environment: Environment;
  readonly channelsLast: boolean;
  readonly fused: boolean;
  readonly form: "eager" | "frozen" | "optimized" | "compiled";
}

const asItComes: TorchUse = {
  name: "PyTorch",
  environment: "default",
  channelsLast: false,
  fused: false,
  form: "eager",
};

/** Meaning of `tuned` in the names of variants. */
export const TUNED =
  "tuned: jemalloc that keeps memory on huge pages, OpenBLAS with AVX-512, fused optimizer; cl: channels_last; " +
  "optimized: traced, frozen, oneDNN's weight layouts; compiled: torch.compile with weights frozen";

function tuned(form: TorchUse["form"], name: string): readonly TorchUse[] {
  const use: TorchUse = { name: `PyTorch tuned${name}`, environment: "tuned", channelsLast: false, fused: true, form };
  return [use, { ...use, name: `${use.name} cl`, channelsLast: true }];
}

/** Compiling slows training down on the processors tested, so it is only used for inference. */
function torchUses(mode: Mode, { hasCompiler }: Torch): readonly TorchUse[] {
  if (mode === "train") return [asItComes, ...tuned("eager", "")];
  const forms = ["eager", "optimized", hasCompiler ? "compiled" : "frozen"] as const;
  return [asItComes, ...forms.flatMap((form) => tuned(form, ` ${form}`))];
}

/** PyTorch untuned, and tuned. */
export function torchVariants(torch: Torch, mode: Mode, precision: Precision): readonly Variant[] {
  return torchUses(mode, torch).map((use) => ({
    name: use.name,
    precision,
    dropout: "none",
    command({ folder, ...request }) {
      copyFileSync(script("torch_worker.py"), join(folder, "torch_worker.py"));
      const inside = torch.folderInside(folder);
      const config = JSON.stringify({ ...request, ...use, folder: inside });
      return [...torch.command(folder, use.environment), join(inside, "torch_worker.py"), config];
    },
  }));
}

const ONNX_RUNTIME = "1.30.0";

/**
 * ONNX Runtime for inference in f32, installed from npm to the cache folder. The package contains its CPU library; its install script, which would
 * download others, is not run.
 *
 * Throws AlexNetError if it cannot be installed.
 */
export function onnxRuntimeVariants(
  precisions: readonly InferencePrecision[],
  say: (line: string) => void,
): readonly Variant[] {
  const supported = precisions.filter((precision) => precision !== "bf16");
  if (supported.length === 0) return [];
  const prefix = join(cacheFolder(), `onnxruntime-${ONNX_RUNTIME}`);
  if (!existsSync(join(prefix, "node_modules", "onnxruntime-node"))) {
    say(`installing onnxruntime-node ${ONNX_RUNTIME} in ${prefix}`);
    mkdirSync(prefix, { recursive: true });
    const install = ["install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--prefix", prefix];
    const { status, stderr } = spawnSync("npm", [...install, `onnxruntime-node@${ONNX_RUNTIME}`], { encoding: "utf8" });
    if (status !== 0) throw new AlexNetError(`onnxruntime-node: npm failed with exit code ${status}: ${stderr.trim()}`);
  }
  const command = (request: WorkerRequest) => [...node, script("onnxWorker.ts"), prefix, JSON.stringify(request)];
  return supported.map((precision) => ({ name: "ONNX Runtime", precision, dropout: "none", command }));
}

/** Participants of a comparison: this project, and its peers, untuned and tuned. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { InferencePrecision, Precision } from "../../src/engine/engine.ts";
import type { OwnSetting } from "./ownWorker.ts";
import type { Mode, WorkerRequest } from "./protocol.ts";
import type { Environment, Torch } from "./python.ts";
import { startWorker, type Worker } from "./worker.ts";

/** One way of computing a network. */
export interface Variant {
  readonly name: string;
  readonly precision: InferencePrecision;
  /** False for engines of this project. */
  readonly isPeer: boolean;
  /** Dropout in the step that is checked: with the masks that our engines draw, or none. */
  readonly dropout: "our masks" | "none";
  /** Starts it, and computes its first step. Rejects with the reason if that fails. */
  start(request: WorkerRequest): Promise<Worker>;
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** Starts a worker of this folder with its own setting, and with environment variables. */
export function startScript(
  worker: string,
  setting: string,
  request: WorkerRequest,
  variables: Readonly<Record<string, string>> = {},
): Promise<Worker> {
  const command = [process.execPath, "--import", "tsx", script(worker), setting, JSON.stringify(request)];
  return startWorker(command, variables);
}

/** An engine of this project. */
export function ownVariant(name: string, precision: InferencePrecision, setting: OwnSetting): Variant {
  return {
    name,
    precision,
    isPeer: false,
    dropout: "our masks",
    start: (request) => startScript("ownWorker.ts", JSON.stringify(setting), request),
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
    isPeer: true,
    dropout: "none",
    start({ folder, ...request }) {
      copyFileSync(script("torch_worker.py"), join(folder, "torch_worker.py"));
      const inside = torch.folderInside(folder);
      const config = JSON.stringify({ ...request, ...use, folder: inside });
      return startWorker([...torch.command(folder, use.environment), join(inside, "torch_worker.py"), config]);
    },
  }));
}

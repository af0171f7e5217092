/** Finds a Python with PyTorch, and runs it. */
import { spawnSync } from "node:child_process";

/**
 * A Python with PyTorch and torchvision, or other modules: the one that ALEXNET_PYTHON names, that of the path, or the system's. Undefined if none
 * has them.
 */
export function findPython(modules = "torch, torchvision"): string | undefined {
  const candidates = [process.env["ALEXNET_PYTHON"], "python3", "/usr/bin/python3"];
  return candidates.find(
    (python) => python !== undefined && spawnSync(python, ["-c", `import ${modules}`]).status === 0,
  );
}

/** Runs a program in a folder. Throws Error with what it said if it fails. Returns its output. */
export function runPython(python: string, program: string, folder: string): string {
  const { status, stdout, stderr } = spawnSync(python, ["-X", "utf8", "-c", program], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`python: ${stderr}`);
  return stdout;
}

/** Software versions and hardware. */
import { readFileSync } from "node:fs";
import { arch, cpus, platform, release } from "node:os";
import { packageRoot } from "../../packageRoot.ts";

/** Software and hardware of a run. */
export interface Machine {
  readonly alexnet: string;
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
}

export function describeMachine(): Machine {
  return {
    alexnet: packageVersion(),
    node: process.versions.node,
    system: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
  };
}

/** This package's version. */
export function packageVersion(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL("package.json", packageRoot()), "utf8"));
  return manifest.version;
}

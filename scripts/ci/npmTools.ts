/** npm packages that only checks need: each in a folder of its own in the user's cache, so that neither a checkout nor its lock contains them. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "alexnet/tools");

/** True if the cache contains a package. */
export function isCached(name: string, version: string): boolean {
  return existsSync(folderOf(name, version));
}

function folderOf(name: string, version: string): string {
  return join(cache, `${name.replace("/", "+")}@${version}`);
}

/** The folder of an installed package. Installs it first, by npm and without its scripts, if the cache does not contain it. */
export function npmTool(name: string, version: string): string {
  const folder = folderOf(name, version);
  if (!existsSync(folder)) install(`${name}@${version}`, folder);
  return join(folder, "node_modules", name);
}

function install(wanted: string, folder: string): void {
  console.error(`installing ${wanted} in ${folder}`);
  const partial = `${folder}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, "package.json"), '{ "private": true }\n');
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", wanted];
  try {
    execFileSync("npm", args, { cwd: partial, stdio: ["ignore", "ignore", "inherit"] });
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** The npm packages of package-lock.json, and the `alexnet` command of this checkout. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** Record of the install in node_modules. It is inside, so that removing the packages removes the record. */
const RECORD = "node_modules/.set-up";
const NPM_CI = ["ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"];
const COMMAND_LINK = "node_modules/.bin/alexnet";
const COMMAND_TARGET = "../../bin/alexnet.js";

/** Packages contain native binaries, so an install is valid for one platform only. */
function wantedInstall(root) {
  const lock = readFileSync(join(root, "package-lock.json"));
  return `${process.platform}-${process.arch} ${createHash("sha256").update(lock).digest("hex")}`;
}

function recordedInstall(root) {
  try {
    return readFileSync(join(root, RECORD), "utf8");
  } catch {
    return undefined;
  }
}

export function npmPackages(root) {
  const wanted = wantedInstall(root);
  const recorded = recordedInstall(root);
  const reason = recorded === undefined ? "no complete install is here" : "package-lock.json has changed";
  return {
    present: "npm packages are those of package-lock.json",
    missing: recorded === wanted ? undefined : `npm packages by npm ${NPM_CI.join(" ")} (${reason})`,
    install() {
      const [command, ...first] = npmCommand(process.env.npm_execpath);
      const { error, status } = spawnSync(command, [...first, ...NPM_CI], { cwd: root, stdio: "inherit" });
      if (error) throw new Error(`npm does not start (${error.message}); it comes with Node.js: https://nodejs.org`);
      if (status !== 0) throw new Error("npm ci failed, see above; fix the problem and run the set-up again");
      writeFileSync(join(root, RECORD), wanted);
      return "npm packages are installed";
    },
  };
}

/** Inside `npm test`, the npm that runs it, which may not be on the PATH. */
function npmCommand(execPath) {
  return execPath && basename(execPath) === "npm-cli.js" ? [process.execPath, execPath] : ["npm"];
}

/** Makes `npx alexnet` in the checkout use the checkout's command, whatever npx has in its cache. */
export function linkCommand(root) {
  const link = join(root, COMMAND_LINK);
  if (isLinked(link)) return;
  mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(COMMAND_TARGET, link);
}

function isLinked(link) {
  try {
    return lstatSync(link).isSymbolicLink() && readlinkSync(link) === COMMAND_TARGET;
  } catch {
    return false;
  }
}

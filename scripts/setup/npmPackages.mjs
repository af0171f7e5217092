/** The npm packages of package-lock.json, and the `alexnet` command of this checkout. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, win32 } from "node:path";

/** Record of the install in node_modules. It is inside, so that removing the packages removes the record. */
const RECORD = "node_modules/.set-up";
const NPM_CI = ["ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"];
const COMMAND_LINK = "node_modules/.bin/alexnet";
const COMMAND_TARGET = "../../bin/alexnet.js";
/** `%~dp0` is the folder of the batch file. */
const COMMAND_BATCH = '@node "%~dp0..\\..\\bin\\alexnet.js" %*\r\n';

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
      const [command, ...first] = npmCommand();
      const { error, status } = spawnSync(command, [...first, ...NPM_CI], { cwd: root, stdio: "inherit" });
      if (error) throw new Error(`npm does not start (${error.message}); it comes with Node.js: https://nodejs.org`);
      if (status !== 0) throw new Error("npm ci failed, see above; fix the problem and run the set-up again");
      writeFileSync(join(root, RECORD), wanted);
      return "npm packages are installed";
    },
  };
}

/**
 * Command prefix of npm. Inside `npm test`, the npm that runs it, which may not be on the PATH. Windows starts a batch file such as npm.cmd only through
 * a shell: there, the npm next to Node.js.
 */
export function npmCommand(
  { npm_execpath: execPath } = process.env,
  platform = process.platform,
  node = process.execPath,
) {
  if (execPath && /(?:^|[\\/])npm-cli\.js$/.test(execPath)) return [node, execPath];
  if (platform !== "win32") return ["npm"];
  return [node, win32.join(win32.dirname(node), "node_modules", "npm", "bin", "npm-cli.js")];
}

/**
 * Makes `npx alexnet` in the checkout use the checkout's command, whatever npx has in its cache: by a link, on Windows by a batch file, since links
 * need a privilege there.
 */
export function linkCommand(root, platform = process.platform) {
  const link = join(root, COMMAND_LINK);
  mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
  if (platform === "win32") return writeFileSync(`${link}.cmd`, COMMAND_BATCH);
  if (isLinked(link)) return;
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

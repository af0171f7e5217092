/**
 * Sets up a checkout: npm packages, oneDNN and Fashion-MNIST. Installs only what is missing.
 *
 *     node scripts/setup.mjs            installs
 *     node scripts/setup.mjs --check    lists what it would install; exit code 1 if anything is missing
 *     node scripts/setup.mjs --mpi      also Open MPI, for training in several processes
 *
 * Runs before node_modules exists, so it uses built-in modules only, and syntax that an old Node.js can parse far enough to report its version.
 */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { openMpi } from "./setup/mpi.mjs";
import { linkCommand, npmPackages } from "./setup/npmPackages.mjs";
import { systemPackages } from "./setup/systemPackages.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function say(line) {
  console.log(`set-up: ${line}`);
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 9)) {
    throw new Error(
      `Node.js ${process.versions.node} is too old, 20.9 or later is needed; get it from https://nodejs.org`,
    );
  }
}

function noteGit() {
  if (spawnSync("git", ["--version"]).status !== 0) say("git is not here: only needed to contribute, not to run");
}

/** Returns true if everything was already installed. */
function setUp(mode, withMpi) {
  requireNode();
  noteGit();
  let complete = true;
  const linked = () => {
    if (mode === "install") linkCommand(root);
    return systemPackages(root, process.env);
  };
  for (const look of [() => npmPackages(root), linked, ...(withMpi ? [openMpi] : [])]) {
    const step = look();
    if (step.missing) complete = false;
    if (!step.missing) say(step.present);
    else if (mode === "check") say(`would install ${step.missing}`);
    else {
      say(`installing ${step.missing}`);
      say(step.install());
    }
  }
  return complete;
}

const given = process.argv.slice(2);
try {
  if (given.some((argument) => !["--check", "--mpi"].includes(argument))) {
    throw new Error(`unknown argument ${given.join(" ")}; usage: node scripts/setup.mjs [--check] [--mpi]`);
  }
  const mode = given.includes("--check") ? "check" : "install";
  const complete = setUp(mode, given.includes("--mpi"));
  if (mode === "check" && !complete) process.exitCode = 1;
} catch (error) {
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
}

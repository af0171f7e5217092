#!/usr/bin/env node
/**
 * The `alexnet` command. In a checkout it runs the TypeScript source, so that no stale build can be in the way; in an
 * installed package, which has no source, it runs dist/.
 */
import { existsSync } from "node:fs";
import nodeModule from "node:module";
import { fileURLToPath } from "node:url";

const source = new URL("../src/cli/main.ts", import.meta.url);
const built = new URL("../dist/cli/main.js", import.meta.url);

function nodeIsOld() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major < 20 || (major === 20 && minor < 9);
}

async function importSource() {
  // Node.js 22.18 and later strip types themselves.
  if (process.features.typescript) return import(source.href);
  const tsconfig = fileURLToPath(new URL("../tsconfig.json", import.meta.url));
  const { register } = await import("tsx/esm/api");
  register({ tsconfig });
  return import(source.href);
}

async function run() {
  if (nodeIsOld()) {
    console.error(
      `alexnet: Node.js ${process.versions.node} is too old, 20.9 or later is needed; get it from https://nodejs.org`,
    );
    return 1;
  }
  const fromSource = existsSync(source);
  if (fromSource && !existsSync(new URL("../node_modules/tsx", import.meta.url))) {
    console.error("alexnet: this checkout is not set up; run: npm run setup");
    return 1;
  }
  const { main } = fromSource ? await importSource() : await import(built.href);
  return main(process.argv.slice(2));
}

// Node.js 22.1 and later keep compiled modules among the temporary files of the system: a checkout then starts in half the time.
nodeModule.enableCompileCache?.();

// As other programs do where nobody reads what they print any more: `alexnet … | head`. 128 and the number of SIGPIPE.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(141);
});

process.exitCode = await run();

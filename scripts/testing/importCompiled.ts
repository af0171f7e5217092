/**
 * For Node.js's `--import`, compiled: registers the hooks that load the checkout's compiled modules, unless the program is such a module: its imports
 * name compiled modules, and threads that it starts register the hooks for themselves.
 */
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const here = new URL(import.meta.url);
const checkout = here.searchParams.get("checkout");
if (checkout === null) throw new Error("importCompiled: expected ?checkout= with the checkout's URL");
process.setSourceMapsEnabled(true);
const modules = new URL("../../", here).href.replace(/\?.*/, "");
if (!isMainThread || !process.argv[1]?.startsWith(fileURLToPath(modules))) {
  const tsx = import.meta.resolve("tsx/esm/api");
  register(new URL("compiledHooks.js", here), { data: { checkout: `${checkout}/`, modules, tsx } });
}

/** For Node.js's `--import`, compiled: registers the hooks that load the checkout's compiled modules. */
import { register } from "node:module";

const here = new URL(import.meta.url);
const checkout = here.searchParams.get("checkout");
if (checkout === null) throw new Error("importCompiled: expected ?checkout= with the checkout's URL");
process.setSourceMapsEnabled(true);
register(new URL("compiledHooks.js", here), {
  data: { checkout: `${checkout}/`, modules: new URL("../../", here).href.replace(/\?.*/, "") },
});

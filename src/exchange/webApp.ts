/** The browser app as files: built in a package, bundled on first use in a checkout. */
import { readFile } from "node:fs/promises";
import { codeOf, DataError } from "../errors.ts";
import { packageRoot } from "../packageRoot.ts";

/** Parts of the app. */
export interface WebApp {
  readonly script: string;
  readonly style: string;
  /** Script of the service worker, without the list of files. */
  readonly offline: string;
  /** Reads the sample of Fashion-MNIST; undefined in a checkout without the data set. */
  readSample(): Promise<AppSample | undefined>;
}

/** Sample of a data set, packed, with its licence. */
export interface AppSample {
  readonly bytes: Uint8Array;
  readonly licence: string;
}

/** Names of the parts in `dist/app/` of a package. */
export const builtNames = {
  folder: "dist/app",
  script: "app.js",
  style: "app.css",
  offline: "offline.js",
  sample: "fashion-mnist.bin.gz",
  licence: "fashion-mnist.LICENSE",
} as const;

/** Module of a checkout that builds the app. A constant, so that a bundler does not follow it. */
const BUILDER = "../../scripts/webApp.ts";

/** Reads the app of this package, or builds that of a checkout. Throws DataError for a package without it. */
export async function readWebApp(): Promise<WebApp> {
  if (import.meta.url.endsWith(".ts")) {
    const builder = (await import(BUILDER)) as { buildWebApp(): Promise<WebApp> };
    return builder.buildWebApp();
  }
  const { folder, script, style, offline, sample, licence } = builtNames;
  const read = (name: string) => readFile(new URL(`${folder}/${name}`, packageRoot()));
  try {
    return {
      script: String(await read(script)),
      style: String(await read(style)),
      offline: String(await read(offline)),
      readSample: async () => ({ bytes: await read(sample), licence: String(await read(licence)) }),
    };
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") throw cause;
    throw new DataError("browser app: it is not built; run npm run build in a checkout", { cause });
  }
}

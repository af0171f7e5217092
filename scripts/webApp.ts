/** Builds the browser app: its script, its style sheet, its service worker, and the sample of Fashion-MNIST. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { encodeSample } from "../src/dataset/sampleFile.ts";
import { loadFashionMnist } from "../src/dataset/sources/fashionMnist.ts";
import { DataError } from "../src/errors.ts";
import type { AppSample, WebApp } from "../src/exchange/webApp.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Images of the sample. */
const SAMPLE = { train: 3000, test: 1000 } as const;

/** Licence of Fashion-MNIST, github.com/zalandoresearch/fashion-mnist. */
const licence = `fashion-mnist.bin.gz contains the first ${SAMPLE.train} training and ${SAMPLE.test} test images of Fashion-MNIST
(https://github.com/zalandoresearch/fashion-mnist), unchanged.

The MIT License (MIT) Copyright © 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the “Software”), to deal
in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies
of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED “AS IS”, WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

/** Builds the app. Without Fashion-MNIST on this machine, it has no sample. */
export async function buildWebApp(): Promise<WebApp> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { app: "src/web/main.ts", style: "src/web/app.css", offline: "src/web/offline/serviceWorker.ts" },
    outdir: join(root, "dist/app"),
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    platform: "browser",
    target: ["es2023", "chrome120", "firefox121", "safari17"],
    logLevel: "warning",
  });
  const textOf = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "";
  return {
    script: textOf("app.js"),
    style: textOf("style.css"),
    offline: textOf("offline.js"),
    readSample: buildSample,
  };
}

async function buildSample(): Promise<AppSample | undefined> {
  try {
    const dataset = await loadFashionMnist({ download: false });
    return { bytes: gzipSync(encodeSample(dataset, SAMPLE), { level: 9 }), licence };
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

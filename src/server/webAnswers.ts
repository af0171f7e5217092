/** Answers with the browser app: its page, its sample, and the weights of served networks. */
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { DataError } from "../errors.ts";
import { type AppSample, builtNames, readWebApp, type WebApp } from "../exchange/webApp.ts";
import { renderWebPage } from "../exchange/webPage.ts";
import type { EngineSource } from "./engineFacts.ts";
import type { Answer } from "./exchange.ts";
import { RequestError } from "./requestError.ts";

/** Answers about the app. All reject with RequestError for what they do not have. */
export interface WebAnswers {
  page(): Promise<Answer>;
  sample(): Promise<Answer>;
  /** The weights file of a network of the server. Refused unless the server shares weights. */
  weights(name: string): Promise<Answer>;
}

/** Networks of the server, and whether their weights may be downloaded. */
export interface WebOptions {
  readonly sources: ReadonlyMap<string, EngineSource>;
  readonly shareWeights: boolean;
}

/** Path of the sample. */
export const samplePath = `/${builtNames.sample}`;

/** Isolates the page, so that its workers can share memory. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
} as const;
const sameOrigin = { "Cross-Origin-Resource-Policy": "same-origin" } as const;
const binary = { ...sameOrigin, "Content-Type": "application/octet-stream" } as const;

/** Creates the answers; the app is read at the first request. */
export function createWebAnswers({ sources, shareWeights }: WebOptions): WebAnswers {
  let reading: Promise<readonly [WebApp, AppSample | undefined]> | undefined;
  let page: Answer | undefined;
  const app = () => {
    reading ??= readWebApp().then(async (read) => [read, await read.readSample()] as const);
    return reading.catch((error: unknown) => {
      reading = undefined;
      throw error instanceof DataError ? new RequestError(503, error.message) : error;
    });
  };
  return {
    async page() {
      if (page) return page;
      const [read, sample] = await app();
      page = pageOf(read, [...sources.keys()], { hasSample: sample !== undefined, shareWeights });
      return page;
    },
    async sample() {
      const [, sample] = await app();
      if (!sample) throw new RequestError(404, "sample: this installation has none");
      return { headers: binary, body: sample.bytes };
    },
    async weights(name) {
      if (!shareWeights) throw new RequestError(403, "weights: not shared; start the server with --share-weights");
      const { path } = sources.get(name) as EngineSource;
      const file = await resolveModelFile(path).catch(() => undefined);
      if (file === undefined || extname(file) !== ".safetensors") {
        throw new RequestError(404, `${name}: no weights file of this program; import it with alexnet import`);
      }
      return { headers: binary, body: await readFile(file) };
    },
  };
}

function pageOf(
  app: WebApp,
  names: readonly string[],
  { hasSample, shareWeights }: { readonly hasSample: boolean; readonly shareWeights: boolean },
): Answer {
  const models = names.map((name) => ({
    name,
    isServed: true,
    ...(shareWeights && { file: `models/${encodeURIComponent(name)}/weights` }),
  }));
  const data = { models, ...(hasSample && { sample: builtNames.sample }) };
  const { html, policy } = renderWebPage(app, data, "'self'");
  const headers = {
    ...isolation,
    ...sameOrigin,
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": `${policy}; frame-ancestors 'none'`,
  };
  return { headers, body: html };
}

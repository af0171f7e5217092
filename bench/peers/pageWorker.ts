/** A participant in a page of a headless Chromium of its own, which computes only when it is called. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { launchChromium } from "../../test/browser.ts";
import { isolation, type LocalServer, serve } from "../../test/localServer.ts";
import type { PageCalls, Reply } from "./page.ts";
import type { Checked, Timing, WorkerRequest } from "./protocol.ts";
import type { Worker } from "./worker.ts";

/** Library and computation of a page. */
export interface PageProgram {
  /** Statements that define `library`, resolved from `folder`. */
  readonly imports: string;
  readonly folder: string;
  /** Module of this folder that exports `create`. */
  readonly computation: string;
  /** Folder of files that the library loads by itself, from /library/. */
  readonly files?: string;
}

const html =
  '<!doctype html><title>peer</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';
const types: Readonly<Record<string, string>> = {
  "": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** Starts a page, and computes its first step. Throws if that fails. `args` select Chromium's graphics adapter. */
export async function startPage(
  program: PageProgram,
  { folder, ...request }: WorkerRequest,
  args: readonly string[],
): Promise<Worker> {
  const script = await bundle(program);
  const browser = await launchChromium(args);
  const server = await serveProgram(script, folder, program.files);
  async function close() {
    await browser.close();
    server.close();
  }
  try {
    const before = performance.now();
    const page = await browser.newPage();
    const complaints = await open(page, server.url);
    const description = unwrap(
      await page.evaluate((of) => (globalThis as unknown as Global).peer.start(of), request),
      complaints,
    );
    const ask = async (command: Parameters<PageCalls["answer"]>[0]): Promise<unknown> =>
      unwrap(await page.evaluate((of) => (globalThis as unknown as Global).peer.answer(of), command), complaints);
    return {
      description,
      firstStepSeconds: (performance.now() - before) / 1000,
      run: async (steps) => (await ask({ command: "run", steps })) as Timing,
      check: async () => ((await ask({ command: "check" })) as { readonly checked: Checked }).checked,
      // The memory of the adapter is what counts, which Chromium does not report.
      peakBytes: () => undefined,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Global {
  readonly peer: PageCalls;
}

/** Opens a page. Returns its errors, to which later ones are added. Throws for a script that fails. */
async function open(page: Page, url: string): Promise<readonly string[]> {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", ({ message }) => complaints.push(message));
  await page.goto(url);
  if (!(await page.evaluate(() => "peer" in globalThis))) throw new Error(complaints[0] ?? "the page has no script");
  return complaints;
}

/** The value of a reply. Throws Error with its problem and the first error of the page. */
function unwrap<T>(reply: Reply<T>, [complaint]: readonly string[]): T {
  if ("value" in reply) return reply.value;
  throw new Error(complaint === undefined ? reply.problem : `${reply.problem} (${complaint.split("\n")[0]})`);
}

/** The script of a page. */
async function bundle({ imports, folder, computation }: PageProgram): Promise<string> {
  const path = (name: string) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));
  const contents = `${imports}
    import { create } from ${path(computation)};
    import { offer } from ${path("page.ts")};
    offer(library, create);`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}

/** Serves a page, its workload in parts, and the files of its library. The headers give the page a clock of 5 µs. */
function serveProgram(script: string, workload: string, files = workload): Promise<LocalServer> {
  return serve(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://page");
    const headers = { ...isolation, "Content-Type": types[extname(pathname)] ?? "application/octet-stream" };
    const name = basename(pathname);
    if (pathname === "/") response.writeHead(200, headers).end(html);
    else if (pathname === "/page.js") response.writeHead(200, headers).end(script);
    else if (pathname.startsWith("/library/")) {
      const content = await readFile(join(files, name)).catch(() => undefined);
      response.writeHead(content ? 200 : 404, headers).end(content);
    } else if (pathname.startsWith("/workload/")) {
      const start = Number(searchParams.get("start") ?? 0);
      const end = start + Number(searchParams.get("length") ?? Number.POSITIVE_INFINITY) - 1;
      response.writeHead(200, headers);
      createReadStream(join(workload, name), { start, end }).pipe(response);
    } else response.writeHead(404).end();
  });
}

/** The requests of docs/serving.md, as the page shows them, against a server of this machine. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import sharp from "sharp";
import { openClassifier } from "../src/model/classifier.ts";
import { skippedWithout } from "./command.ts";
import { noise } from "./packPictures.ts";
import { writeColour } from "./servedNetworks.ts";
import { startServing } from "./serving.ts";
import { root } from "./sourceFiles.ts";

let folder: string;
let page: string;
let server: Awaited<ReturnType<typeof startServing>>;
let best: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-serve-docs-"));
  await writeColour(join(folder, "photos.safetensors"));
  const { width, height, channels, data } = noise(1, 30, 20, 3);
  const cat = await sharp(data, { raw: { width, height, channels } }).jpeg().toBuffer();
  await writeFile(join(folder, "cat.jpg"), cat);
  server = await startServing({ photos: join(folder, "photos.safetensors") });
  const address = server.url.slice(0, -1);
  page = (await readFile(join(root, "docs/serving.md"), "utf8")).replaceAll("http://127.0.0.1:8000", address);
  const classifier = await openClassifier(join(folder, "photos.safetensors"));
  best = (await classifier.predict(cat))[0]?.className ?? "";
  await classifier.close();
});
after(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Code blocks of the page in a language. */
function blocks(language: string): readonly string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, code = ""]) => code);
}

async function output(command: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd: folder })).stdout;
}

test("curl: a body, a form and a data URL", { skip: skippedWithout("curl") }, async () => {
  const [first = ""] = /^ {4}curl .*$/m.exec(page) ?? [];
  const [script = ""] = blocks("sh");
  const answers = (await output("bash", ["-c", `${first}\n${script}`])).split(/(?<=\})(?=\{"classes")/);
  assert.deepEqual(
    answers.map((answer) => JSON.parse(answer).classes[0].className),
    [best, best, best],
  );
});

test("fetch: an image, and a tensor", async () => {
  const examples = blocks("js");
  assert.equal(examples.length, 2);
  const outputs = await Promise.all(
    examples.map(async (code, i) => {
      await writeFile(join(folder, `${i}.mjs`), code);
      return output(process.execPath, [join(folder, `${i}.mjs`)]);
    }),
  );
  assert.equal(outputs[0]?.trim(), best);
  assert.match(outputs[1] ?? "", /^\[(\s*[\d.e-]+,?){7}\s*\]\s*$/);
});

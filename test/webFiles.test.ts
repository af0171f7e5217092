/** Files that `alexnet web` writes: policies, the version of the copy for use without a network, names as text, and what is refused. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CheckpointError, ConfigError } from "../src/errors.ts";
import { writeWebFile, writeWebFolder } from "../src/exchange/writeWeb.ts";
import { readModel, writeModel } from "../src/model/modelFile.ts";
import { writeColour } from "./servedNetworks.ts";

let folder: string;
let weights: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-web-files-"));
  weights = join(folder, "colour.safetensors");
  await writeColour(weights);
});
after(() => rm(folder, { recursive: true }));

/** The policy of a page. */
async function policyOf(page: string): Promise<readonly string[]> {
  const [, policy = ""] = /Content-Security-Policy" content="([^"]*)"/.exec(await readFile(page, "utf8")) ?? [];
  return policy.split("; ");
}

/** List of the copied files, with their version. */
async function siteOf(output: string): Promise<{ readonly version: string; readonly files: readonly string[] }> {
  const [line = ""] = (await readFile(join(output, "offline.js"), "utf8")).split("\n");
  return JSON.parse(line.replace(/^const site = |;$/g, ""));
}

test("a folder may ask its own host; its copy has all files, and a version that changes with their content", async () => {
  const [first, same, other] = ["first", "same", "other"].map((name) => join(folder, name)) as [string, string, string];
  const written = await writeWebFolder([weights], first);
  const policy = await policyOf(join(first, "index.html"));
  assert.ok(policy.includes("connect-src 'self'"));
  assert.ok(policy.includes("worker-src blob: 'self'"));
  const names = (await readdir(first, { recursive: true })).filter((name) => name !== "models").sort();
  const sizes = await Promise.all(names.map(async (name) => (await readFile(join(first, name))).length));
  assert.equal(
    written.bytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  const site = await siteOf(first);
  const unlisted = ["index.html", "offline.js", "fashion-mnist.LICENSE"];
  assert.deepEqual([...site.files].sort(), ["./", ...names.filter((name) => !unlisted.includes(name))].sort());

  await writeWebFolder([weights], same);
  assert.deepEqual(await siteOf(same), site);
  const model = await readModel(weights);
  const changed = new Map([...model.weights].map(([name, values]) => [name, values.map((value) => 2 * value)]));
  await writeModel(weights, { ...model, weights: changed });
  await writeWebFolder([weights], other);
  const { version, files } = await siteOf(other);
  assert.deepEqual(files, site.files);
  assert.notEqual(version, site.version);
});

test("a single file may ask nobody, and names in it are text", async () => {
  const model = await readModel(weights);
  const marked = join(folder, "marked.safetensors");
  await writeModel(marked, { ...model, classNames: model.classNames.map((name) => `</script><!--${name}`) });
  const page = join(folder, "one.html");
  await writeWebFile(marked, page);
  const policy = await policyOf(page);
  assert.ok(policy.includes("connect-src 'none'"));
  assert.ok(policy.includes("worker-src blob:"));
  const html = await readFile(page, "utf8");
  assert.equal(html.match(/<\/script/gi)?.length, 2);
  assert.doesNotMatch(html, /<!--/);
});

test("unreadable weights, runs of one name and existing folders are refused, and nothing is left", async () => {
  const broken = join(folder, "broken.safetensors");
  await writeFile(broken, "no weights");
  const output = join(folder, "refused");
  await assert.rejects(writeWebFolder([broken], output), CheckpointError);
  await assert.rejects(writeWebFile(broken, `${output}.html`), CheckpointError);
  await assert.rejects(writeWebFolder([weights, weights], output), ConfigError);
  await assert.rejects(writeWebFolder([weights], folder), /already exists; remove it, or choose another name/);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith("refused")),
    [],
  );
});

/** The set-up's view of a machine, on outputs recorded from real ones, and its behaviour in a copy of the checkout. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "./sourceFiles.ts";

interface OneDnnSearch {
  isSupported(version: string): boolean;
  librariesInCache(text: string, architecture: string): readonly string[];
}

interface Offer {
  readonly name: string;
  readonly version: string;
}

interface SystemPackages {
  describe(
    here: { oneDnn?: { path: string; version: string }; unsupported: []; data?: string },
    env: object,
    reason?: string,
  ): string;
  bestOffer(offered: readonly Offer[]): Offer | undefined;
}

interface NpmPackages {
  npmCommand(env: NodeJS.ProcessEnv, platform: string, node: string): readonly string[];
  linkCommand(root: string, platform: string): void;
}

interface Apt {
  candidateVersion(policy: string): string | undefined;
}

const scripts = pathToFileURL(join(root, "scripts/setup/")).href;
const oneDnn: OneDnnSearch = await import(`${scripts}oneDnn.mjs`);
const apt: Apt = await import(`${scripts}apt.mjs`);
const npm: NpmPackages = await import(`${scripts}npmPackages.mjs`);
const system: SystemPackages = await import(`${scripts}systemPackages.mjs`);

let checkout: string;
before(async () => {
  checkout = await mkdtemp(join(tmpdir(), "alexnet-setup-"));
  for (const part of ["scripts", "bin", "package.json", "package-lock.json"]) {
    await cp(join(root, part), join(checkout, part), { recursive: true });
  }
  const cache = join(checkout, "cache/alexnet/fashion-mnist");
  await mkdir(cache, { recursive: true });
  for (const set of ["train", "t10k"]) {
    for (const kind of ["images-idx3", "labels-idx1"]) await writeFile(join(cache, `${set}-${kind}-ubyte.gz`), "x");
  }
  await writeFile(join(checkout, "libdnnl.so.2.6"), "");
});
after(() => rm(checkout, { recursive: true }));

/** On a machine that has both system packages, in places of their own. */
function setUp(args: readonly string[], oneDnnPath = join(checkout, "libdnnl.so.2.6")) {
  const env = { ...process.env, ALEXNET_ONEDNN: oneDnnPath, XDG_CACHE_HOME: join(checkout, "cache") };
  return spawnSync(process.execPath, ["scripts/setup.mjs", ...args], { cwd: checkout, encoding: "utf8", env });
}

test("oneDNN: 2.6 and later of 2.x, and 3.x, are supported", () => {
  for (const version of ["2.6", "2.6.3-1", "2.7.5", "2.10", "3.0", "3.7.2+ds-2", "3.12"]) {
    assert.equal(oneDnn.isSupported(version), true, version);
  }
  for (const version of ["2.5.2-1build1", "1.7", "4.0", "of unknown version"]) {
    assert.equal(oneDnn.isSupported(version), false, version);
  }
});

test("oneDNN: of what apt offers, 2.x is taken before 3.x, later before earlier, and what is too old never", () => {
  const [debian12, debian13, ubuntu2404, ubuntu2204] = [
    { name: "libdnnl2", version: "2.6.3-1" },
    { name: "libdnnl3.6", version: "3.7.2+ds-2" },
    { name: "libdnnl3", version: "3.1.1-2" },
    { name: "libdnnl2", version: "2.5.2-1build1" },
  ] as const;
  assert.equal(system.bestOffer([debian12]), debian12);
  assert.equal(system.bestOffer([debian13]), debian13);
  assert.equal(system.bestOffer([ubuntu2404, debian13]), debian13);
  assert.equal(system.bestOffer([debian13, debian12]), debian12);
  assert.equal(system.bestOffer([ubuntu2204]), undefined);
  assert.equal(system.bestOffer([ubuntu2204, ubuntu2404]), ubuntu2404);
  assert.equal(system.bestOffer([]), undefined);
});

test("oneDNN: found in the linker's cache for this architecture only", () => {
  const cache = [
    "2 libs found in cache `/etc/ld.so.cache'",
    "\tlibdnnl.so.3.6 (libc6,x86-64) => /lib/x86_64-linux-gnu/libdnnl.so.3.6",
    "\tlibdnnl.so.2 (libc6) => /lib/i386-linux-gnu/libdnnl.so.2",
    "\tlibdnnl.so.2 (libc6,AArch64) => /lib/aarch64-linux-gnu/libdnnl.so.2",
    "\tlibdnnl.so (libc6,x86-64) => /lib/x86_64-linux-gnu/libdnnl.so",
    "\tlibdnnl_graph.so.2 (libc6,x86-64) => /lib/x86_64-linux-gnu/libdnnl_graph.so.2",
  ].join("\n");
  assert.deepEqual(oneDnn.librariesInCache(cache, "x64"), ["/lib/x86_64-linux-gnu/libdnnl.so.3.6"]);
  assert.deepEqual(oneDnn.librariesInCache(cache, "arm64"), ["/lib/aarch64-linux-gnu/libdnnl.so.2"]);
});

test("apt: the version on offer, of a known, an installed-only and an unknown package", () => {
  const policy = (candidate: string) => `libdnnl2:\n  Installed: (none)\n  Candidate: ${candidate}\n  Version table:\n`;
  assert.equal(apt.candidateVersion(policy("2.6.3-1")), "2.6.3-1");
  assert.equal(apt.candidateVersion(policy("(none)")), undefined);
  assert.equal(apt.candidateVersion(""), undefined);
});

test("without oneDNN, the set-up says why, what computes instead, and how to get it", () => {
  const data = "/usr/share/datasets/fashion-mnist";
  const text = system.describe({ unsupported: [], data }, {}, "apt offers none.");
  assert.match(
    text,
    /^oneDNN 2\.6 or later of 2\.x, or 3\.x is missing: apt offers none\.\nalexnet computes in WebAssembly instead/,
  );
  assert.match(text, /For oneDNN, use Debian 12 or 13, .*\n.*; Fashion-MNIST is in \/usr\/share/);
  const oneDnnHere = { unsupported: [] as [], data, oneDnn: { version: "2.6", path: "/usr/lib/libdnnl.so.2.6" } };
  assert.equal(system.describe(oneDnnHere, {}), `oneDNN 2.6 is /usr/lib/libdnnl.so.2.6; Fashion-MNIST is in ${data}`);
});

test("Windows: npm is started without its batch file, and the command is a batch file instead of a link", async () => {
  const node = "C:\\Program Files\\nodejs\\node.exe";
  const cli = "C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npm-cli.js";
  assert.deepEqual(npm.npmCommand({}, "win32", node), [node, cli]);
  assert.deepEqual(npm.npmCommand({ npm_execpath: cli }, "win32", node), [node, cli]);
  assert.deepEqual(npm.npmCommand({ npm_execpath: "/usr/lib/npm-cli.js" }, "linux", "/usr/bin/node"), [
    "/usr/bin/node",
    "/usr/lib/npm-cli.js",
  ]);
  assert.deepEqual(npm.npmCommand({ npm_execpath: "/usr/bin/pnpm.cjs" }, "linux", "/usr/bin/node"), ["npm"]);
  const folder = await mkdtemp(join(checkout, "windows-"));
  npm.linkCommand(folder, "win32");
  npm.linkCommand(folder, "win32");
  assert.deepEqual(await readdir(join(folder, "node_modules/.bin")), ["alexnet.cmd"]);
  const batch = await readFile(join(folder, "node_modules/.bin/alexnet.cmd"), "utf8");
  assert.equal(batch, '@node "%~dp0..\\..\\bin\\alexnet.js" %*\r\n');
});

test("--check says what is missing and does nothing", async () => {
  const { status, stdout } = setUp(["--check"]);
  assert.equal(status, 1);
  assert.match(stdout, /would install npm packages by npm ci .*no complete install is here/);
  assert.ok(!(await readdir(checkout)).includes("node_modules"));
});

test("with all there, it links the command and is content, again and again", async () => {
  const lock = await readFile(join(checkout, "package-lock.json"));
  const record = `${process.platform}-${process.arch} ${createHash("sha256").update(lock).digest("hex")}`;
  await mkdir(join(checkout, "node_modules"));
  await writeFile(join(checkout, "node_modules/.set-up"), record);
  for (const run of ["first", "second"]) {
    const { status, stdout, stderr } = setUp([]);
    assert.equal(status, 0, `${run} run: ${stdout}${stderr}`);
    assert.match(stdout, /npm packages are those of package-lock\.json\n.*oneDNN 2\.6 is .*Fashion-MNIST is in /);
    assert.equal(await readlink(join(checkout, "node_modules/.bin/alexnet")), "../../bin/alexnet.js");
  }
  await writeFile(join(checkout, "package-lock.json"), `${lock}\n`);
  assert.match(setUp(["--check"]).stdout, /would install npm packages .*package-lock\.json has changed/);
});

test("a wrong ALEXNET_ONEDNN or argument is one clear message and exit code 1", () => {
  const wrongPath = setUp(["--check"], "/nowhere/libdnnl.so.2");
  assert.equal(wrongPath.status, 1);
  assert.match(wrongPath.stderr, /^set-up: ALEXNET_ONEDNN: there is no file \/nowhere\/libdnnl\.so\.2; .*\n$/);
  const wrongArgument = setUp(["--chekc"]);
  assert.equal(wrongArgument.status, 1);
  assert.match(wrongArgument.stderr, /^set-up: unknown argument --chekc; usage: .*\n$/);
});

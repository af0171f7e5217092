/** The search for oneDNN on every platform, by its rules; libraries are loaded on this one. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { importTypeScript } from "../../../../test/command.ts";
import { findOneDnn, supportsVersion } from "./find.ts";
import { platformPackages, readLibraryFolder } from "./libraryFolder.ts";
import { loadSystem } from "./loadSystem.ts";
import { openMpLibrary } from "./openMp.ts";
import { posixConstants } from "./posix.ts";
import { howToInstall, systemLibraries } from "./systemLibraries.ts";
import { untrustedPart } from "./trust.ts";

const PAGE = 4096;
let folder: string;
before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "alexnet-find-")));
});
after(() => rmSync(folder, { recursive: true }));

test("2.6 and later of 2.x, and 3.x, are supported", () => {
  for (const version of ["2.6", "2.6.3-1", "2.7.5", "2.10", "3.0", "3.7.2+ds-2", "3.12.1"])
    assert.ok(supportsVersion(version), version);
  for (const version of ["2.5.2-1build1", "1.7", "4.0", ""]) assert.equal(supportsVersion(version), false, version);
});

test("Linux: names for the dynamic linker, 2.x first; macOS and Windows: absolute paths only, never the current directory", () => {
  const linux = systemLibraries("linux", {});
  assert.deepEqual([linux[0], linux[1]], ["libdnnl.so.2", "libdnnl.so.3"]);
  assert.ok(linux.includes("libdnnl.so.3.6"), "Debian 13");
  assert.equal(systemLibraries("darwin", {})[0], "/opt/homebrew/lib/libdnnl.2.dylib");
  assert.ok(systemLibraries("darwin", {}).every((path) => path.startsWith("/")));
  const Path = ["C:\\Program Files\\oneDNN\\bin", ".", "bin", '"D:\\x"', "\\\\host\\tools", ""].join(";");
  assert.deepEqual(systemLibraries("win32", { Path }), [
    "C:\\Program Files\\oneDNN\\bin\\dnnl.dll",
    "D:\\x\\dnnl.dll",
    "\\\\host\\tools\\dnnl.dll",
  ]);
  assert.deepEqual(systemLibraries("win32", {}), []);
});

test("platform packages: one name per platform, and one per C library on Linux", () => {
  assert.deepEqual(platformPackages("linux", "x64"), ["alexnet-onednn-linux-x64-gnu", "alexnet-onednn-linux-x64-musl"]);
  assert.deepEqual(platformPackages("win32", "x64"), ["alexnet-onednn-win32-x64"]);
  assert.deepEqual(platformPackages("darwin", "arm64"), ["alexnet-onednn-darwin-arm64"]);
});

test("each platform has a remedy of its own, and one without an implementation is a message", () => {
  assert.match(howToInstall("linux"), /Debian and Ubuntu: alexnet setup, no root needed/);
  assert.match(howToInstall("darwin"), /brew install onednn/);
  assert.match(howToInstall("win32"), /dnnl\.dll/);
  assert.equal(posixConstants("aix"), undefined);
  assert.throws(() => loadSystem("aix"), /oneDNN: not supported on aix; choose another engine/);
});

test("OpenMP: of oneDNN's dependencies, and of the loaded runtimes on Windows", () => {
  const loaded = { fileOf: (name: string) => (name === "libomp.dll" ? `C:\\x\\${name}` : undefined) };
  assert.equal(
    openMpLibrary("/lib/libdnnl.so.2", "linux", () => assert.fail()),
    "/lib/libdnnl.so.2",
  );
  assert.equal(
    openMpLibrary("C:\\dnnl.dll", "win32", () => loaded),
    "libomp.dll",
  );
  assert.equal(
    openMpLibrary("C:\\dnnl.dll", "win32", () => ({ fileOf: () => undefined })),
    "C:\\dnnl.dll",
  );
});

test("memory of the system: zeroed, writable, and zeroed again after its pages are discarded", () => {
  const { allocate, discard, free, preferHugePages } = loadSystem();
  const start = allocate(2 * PAGE);
  assert.ok(start !== undefined && start % BigInt(PAGE) === 0n);
  preferHugePages(start, 2 * PAGE);
  discard(start, 2 * PAGE);
  free(start, 2 * PAGE);
  assert.equal(allocate(2 ** 60), undefined, "more than any machine has");
});

test("a folder of libraries: 2.x before 3.x, with what it needs; nothing in a folder without oneDNN", () => {
  const [full, other] = [join(folder, "full"), join(folder, "other")];
  mkdirSync(full);
  mkdirSync(other);
  for (const name of ["libdnnl.so.3.6", "libdnnl.so.2.6", "libgomp.so.1", "libdnnl_graph.so.2", "packages.json"]) {
    writeFileSync(join(full, name), "");
  }
  symlinkSync("libdnnl.so.2.6", join(full, "libdnnl.so.2"));
  writeFileSync(join(other, "libgomp.so.1"), "");
  assert.deepEqual(readLibraryFolder(full), {
    file: join(full, "libdnnl.so.2.6"),
    companions: [{ name: "libgomp.so.1", path: join(full, "libgomp.so.1") }],
  });
  assert.equal(readLibraryFolder(other), undefined);
  assert.equal(readLibraryFolder(join(folder, "nothing")), undefined);
});

test("code is loaded only from files that this user and root alone can change", () => {
  const home = join(folder, "home");
  const file = join(home, "cache/libdnnl.so.2");
  mkdirSync(join(home, "cache"), { recursive: true, mode: 0o755 });
  writeFileSync(file, "");
  const user = process.geteuid?.() as number;
  assert.equal(untrustedPart(file), undefined, "the temporary folder is sticky");
  for (const [path, mode] of [
    [home, 0o775],
    [home, 0o757],
    [join(home, "cache"), 0o777],
    [file, 0o666],
  ] as const) {
    chmodSync(path, mode);
    assert.equal(untrustedPart(file), `other users can write to ${path}; run chmod go-w ${path}`);
    chmodSync(path, 0o755);
  }
  chmodSync(join(home, "cache"), 0o1777);
  assert.equal(untrustedPart(file), undefined);
  // For another user than root, root's files are safe; for root, those of others are not.
  assert.equal(untrustedPart("/", user + 1), undefined);
  if (user !== 0) assert.match(untrustedPart(file, 0) ?? "", new RegExp(`belongs to user ${user}, not to 0 or root`));
  assert.equal(untrustedPart(file, undefined), untrustedPart(file), "this user is the default");
  assert.match(untrustedPart(join(home, "gone")) ?? "", /no such file/);
});

/** Loads oneDNN in a process of its own, with a folder as the user's cache, and returns its path or the message. */
function loadWith(cache: string, env: Readonly<Record<string, string>> = {}): string {
  const find = new URL("./find.ts", import.meta.url).href;
  const names = new URL("./systemLibraries.ts", import.meta.url).href;
  const program = `
    import { loadOneDnn, findOneDnn } from ${JSON.stringify(find)};
    import { systemLibraries } from ${JSON.stringify(names)};
    try { const { path, close } = loadOneDnn(); close(); console.log(path); } catch (error) { console.log(error.message); }
    console.log(JSON.stringify(findOneDnn()));
  `;
  const args = [...importTypeScript, "--input-type=module", "--eval", program];
  return execFileSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: cache, ...env },
  });
}

test("the library of alexnet setup is found in the user's cache, and refused where others can write", () => {
  const [system] = findOneDnn();
  assert.ok(system, "needs a oneDNN on this machine");
  const place = join(folder, "user/alexnet/onednn");
  mkdirSync(place, { recursive: true, mode: 0o755 });
  copyFileSync(system.path, join(place, "libdnnl.so.2"));
  // It may be that of alexnet setup, which needs its neighbours.
  for (const { name, path } of readLibraryFolder(dirname(system.path))?.companions ?? []) {
    copyFileSync(path, join(place, name));
  }
  const found = () => JSON.parse(loadWith(join(folder, "user")).split("\n")[1] as string).at(-1);
  const ours = found();
  assert.deepEqual(ours, { path: join(place, "libdnnl.so.2"), version: system.version, supported: true });
  chmodSync(place, 0o777);
  const refused = found();
  assert.deepEqual(
    [refused.supported, refused.problem],
    [false, `is not loaded: other users can write to ${place}; run chmod go-w ${place}`],
  );
  chmodSync(place, 0o755);
  writeFileSync(join(place, "libdnnl.so.2"), "no library");
  assert.match(found().problem, /^cannot be loaded: (?:file too short|invalid ELF header)$/);
});

test("ALEXNET_ONEDNN names the only library that is looked at", () => {
  const file = join(folder, "broken.so");
  writeFileSync(
    file,
    "no library, but longer than an ELF header, so that the linker reads it as one of another format",
  );
  const [message, found] = loadWith(folder, { ALEXNET_ONEDNN: file }).split("\n");
  assert.match(
    message as string,
    new RegExp(`^oneDNN: ALEXNET_ONEDNN=${file}: .*; set ALEXNET_ONEDNN to a oneDNN library of version 2\\.6`),
  );
  assert.equal(found, "[]");
});

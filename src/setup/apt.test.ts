/** Packages of apt: descriptions as `apt-cache show` prints them, and checks of a downloaded file. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type DebianPackage, hasApt, parsePackage, verify } from "./apt.ts";
import { bestOffer } from "./installPackages.ts";

/** Printed by apt 2.6.1 of Debian 12, shortened. */
const described = `Package: libdnnl2
Source: onednn
Version: 2.6.3-1
Installed-Size: 38771
Architecture: amd64
Replaces: libmkldnn1
Depends: libc6 (>= 2.34), libgcc-s1 (>= 3.4), libgomp1 (>= 4.9), ocl-icd-libopencl1 | libopencl1, ocl-icd-libopencl1 (>= 1.0) | libopencl-1.2-1
Filename: pool/main/o/onednn/libdnnl2_2.6.3-1_amd64.deb
Size: 6991100
MD5sum: caad1a3a921b2aa65c4d0dc82c289596
SHA256: 9a8c4d2a880ac44175e531f55b9618b6539584c9fc5fd9eaf2070b6099a819bd

Package: libdnnl2
Version: 2.6.2-1
`;

test("a package's description: of the candidate alone, with all that a check needs", () => {
  assert.deepEqual(parsePackage(described), {
    name: "libdnnl2",
    version: "2.6.3-1",
    architecture: "amd64",
    depends: [
      "libc6",
      "libgcc-s1",
      "libgomp1",
      "ocl-icd-libopencl1",
      "libopencl1",
      "ocl-icd-libopencl1",
      "libopencl-1.2-1",
    ],
    bytes: 6991100,
    sha256: "9a8c4d2a880ac44175e531f55b9618b6539584c9fc5fd9eaf2070b6099a819bd",
  });
  assert.equal(parsePackage(described.replace(/^SHA256.*\n/m, "")), undefined, "installed, but in no list");
  assert.equal(parsePackage(""), undefined);
});

test("2.x is taken before 3.x, later before earlier", () => {
  const [two, three, later] = [{ version: "2.6.3-1" }, { version: "3.1.1-2" }, { version: "3.7.2+ds-2" }];
  assert.equal(bestOffer([three, later]), later);
  assert.equal(bestOffer([later, two, three]), two);
  assert.equal(bestOffer([]), undefined);
});

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "alexnet-apt-"));
});
after(() => rmSync(folder, { recursive: true }));

const noApt = (await hasApt()) ? false : "needs dpkg-deb";

test("a file that is not the package of the list is refused", { skip: noApt }, async () => {
  const source = join(folder, "source");
  mkdirSync(join(source, "DEBIAN"), { recursive: true });
  const control =
    "Package: libx2\nVersion: 2.6.3-1\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: x\n";
  writeFileSync(join(source, "DEBIAN/control"), control);
  const file = join(folder, "libx2.deb");
  execFileSync("dpkg-deb", ["--root-owner-group", "--build", source, file], { stdio: "pipe" });
  const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
  const wanted: DebianPackage = {
    name: "libx2",
    version: "2.6.3-1",
    architecture: "amd64",
    depends: [],
    bytes: 1,
    sha256,
  };
  await verify(wanted, file);
  await assert.rejects(
    verify({ ...wanted, version: "2.6.3-2" }, file),
    /expected package libx2 2\.6\.3-2 amd64, got libx2 2\.6\.3-1 amd64$/,
  );
  await assert.rejects(
    verify({ ...wanted, architecture: "arm64" }, file),
    /expected package libx2 2\.6\.3-1 arm64, got /,
  );
  writeFileSync(file, `${readFileSync(file, "latin1")}x`, "latin1");
  await assert.rejects(
    verify(wanted, file),
    /SHA-256 does not match apt's list \(expected [0-9a-f]{64}, got [0-9a-f]{64}\)$/,
  );
});

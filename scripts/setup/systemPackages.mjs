/** Installs the oneDNN library and Fashion-MNIST: as system packages, or without root in the user's cache. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { asRoot, candidate, hasApt, install, namesBeginning, update } from "./apt.mjs";
import { brewInstall, hasBrew } from "./brew.mjs";
import { fashionMnistCache, findFashionMnist } from "./fashionMnist.mjs";
import { bestFirst, findOneDnn, isSupported, SUPPORTED_VERSIONS } from "./oneDnn.mjs";

/** Debian and Ubuntu include the version in the package's name: libdnnl2, libdnnl3, libdnnl3.6. */
const ONEDNN_PACKAGE = /^libdnnl\d+(\.\d+)?$/;
const ONEDNN_BREW = "onednn";
const DATA_PACKAGE = "dataset-fashion-mnist";
const SYSTEMS = "Debian 12 or 13, or Ubuntu 24.04";
const OWN_BUILD =
  `build oneDNN ${SUPPORTED_VERSIONS} (https://github.com/uxlfoundation/oneDNN, tag v2.7.5) and set ALEXNET_ONEDNN to the path ` +
  "of its libdnnl.so.2";

/** A library that cannot be installed is reported, not an error: alexnet then computes in WebAssembly. */
export function systemPackages(root, env) {
  const here = look(env);
  if (!(here.oneDnn && here.data) && hasApt()) return byApt(here, root, env);
  if (!here.oneDnn && hasBrew()) return byBrew(env);
  return { present: describe(here, env, "this system has neither apt nor brew to install it by") };
}

function look(env) {
  const found = findOneDnn(env);
  return {
    oneDnn: found.find((library) => library.supported),
    unsupported: found.filter((library) => !library.supported),
    data: findFashionMnist(env),
  };
}

/** State of both. `reason` says why oneDNN is missing, if it is. */
export function describe(here, env, reason) {
  const place = here.data ? `is in ${here.data}` : `is downloaded (30 MB) to ${fashionMnistCache(env)} when first used`;
  const library = here.oneDnn
    ? `oneDNN ${here.oneDnn.version} is ${here.oneDnn.path}`
    : unsupportedSystem(here, reason);
  return `${library}; Fashion-MNIST ${place}`;
}

function byApt(here, root, env) {
  const needed = [...(here.oneDnn ? [] : ["oneDNN"]), ...(here.data ? [] : [DATA_PACKAGE])];
  return {
    missing: `${needed.join(" and ")} by apt`,
    install() {
      const prefix = asRoot();
      const problem = prefix ? installByApt(prefix, here, env) : installForUser(here, root, env);
      const after = look(env);
      return after.oneDnn && problem ? `${describe(after, env)}\n${problem}` : describe(after, env, problem);
    },
  };
}

/** Returns what was not installed and why; undefined if all was. */
function installByApt(prefix, before, env) {
  const updateFailure = update(prefix);
  const complaint = updateFailure ? `\napt-get update failed:\n${updateFailure}` : "";
  const offered = offers();
  const wanted = before.oneDnn ? undefined : bestOffer(offered);
  const packages = wanted ? [wanted.name] : [];
  if (!before.data && candidate(DATA_PACKAGE)) packages.push(DATA_PACKAGE);
  const failure = packages.length > 0 ? install(prefix, packages) : undefined;
  const after = look(env);
  if (!before.oneDnn && !wanted) return `${nameOffers(offered)}${complaint}`;
  const dataExpected = packages.includes(DATA_PACKAGE) || updateFailure !== undefined;
  if (failure === undefined && after.oneDnn && (after.data || !dataExpected)) return undefined;
  return `apt-get did not install ${packages.join(" and ")}${failure ? `:\n${failure}` : ""}${complaint}`;
}

/**
 * Without root and sudo: the command of this checkout unpacks the packages into the user's cache. The npm packages are there by now. Returns what was
 * not installed, with the command for someone who has root; undefined if all was.
 */
function installForUser(here, root, env) {
  const command = join(root, "bin/alexnet.js");
  const { status } = spawnSync(process.execPath, [command, "setup", "--fashion-mnist"], { stdio: "inherit" });
  return status === 0 && look(env).oneDnn ? undefined : withoutRoot(here, env);
}

/** Versions of oneDNN that apt offers. */
function offers() {
  return namesBeginning("libdnnl")
    .filter((name) => ONEDNN_PACKAGE.test(name))
    .map((name) => ({ name, version: candidate(name) }))
    .filter(({ version }) => version);
}

/** Best of the offered packages; undefined if none is supported. */
export function bestOffer(offered) {
  const usable = offered.filter(({ version }) => isSupported(version));
  return usable.sort((a, b) => bestFirst(a.version, b.version))[0];
}

function nameOffers(offered) {
  const names = offered.map(({ name, version }) => `${name} ${version}`);
  return names.length > 0 ? `apt offers ${names.join(" and ")} only` : "apt offers none";
}

function byBrew(env) {
  return {
    missing: `${ONEDNN_BREW} by brew`,
    install() {
      brewInstall(ONEDNN_BREW);
      return describe(look(env), env, `brew did not install ${ONEDNN_BREW}`);
    },
  };
}

function absent({ unsupported }) {
  const found = unsupported.map(({ path, version }) => ` (${version} is here, ${path}, but not supported)`);
  return `oneDNN ${SUPPORTED_VERSIONS} is missing${found.join("")}`;
}

function unsupportedSystem(here, reason) {
  return (
    `${absent(here)}: ${reason.replace(/\.$/, "")}.\nalexnet computes in WebAssembly instead, several times slower. For oneDNN, use ${SYSTEMS}, or ` +
    `${OWN_BUILD}.\nThe tests of oneDNN fail without it`
  );
}

function withoutRoot(here, env) {
  const offer = bestOffer(offers());
  const oneDnn = offer ? offer.name : "libdnnl2";
  const needed = [...(here.oneDnn ? [] : [oneDnn]), ...(here.data ? [] : [DATA_PACKAGE])];
  const lines = [
    `${needed.join(" and ")} could not be installed without root, see above.`,
    "Let someone with root run",
    `    apt-get update && apt-get install --no-install-recommends ${needed.join(" ")}`,
    "and then run the set-up again.",
  ];
  if (!here.oneDnn && !offer)
    lines.push("On Debian 13 it is libdnnl3.6 instead of libdnnl2, on Ubuntu 24.04 libdnnl3.");
  if (!here.data) lines.push(`Without ${DATA_PACKAGE}: put its four files into ${fashionMnistCache(env)}.`);
  return lines.join("\n");
}

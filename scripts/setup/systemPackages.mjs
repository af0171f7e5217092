/** What npm cannot bring: the oneDNN library, and Fashion-MNIST as a package of the system. */
import { asRoot, candidate, hasApt, install, update } from "./apt.mjs";
import { fashionMnistCache, findFashionMnist } from "./fashionMnist.mjs";
import { findOneDnn, isSupported, SUPPORTED_VERSIONS } from "./oneDnn.mjs";

const ONEDNN_PACKAGE = "libdnnl2";
const DATA_PACKAGE = "dataset-fashion-mnist";
const OWN_BUILD =
  `build oneDNN ${SUPPORTED_VERSIONS} (https://github.com/oneapi-src/oneDNN, tag v2.7.5) and set ALEXNET_ONEDNN to the path ` +
  "of its libdnnl.so.2";

/** Throws where nothing can be done about a missing library. */
export function systemPackages(env) {
  const here = look(env);
  const needed = [...(here.oneDnn ? [] : [ONEDNN_PACKAGE]), ...(here.data ? [] : [DATA_PACKAGE])];
  if (needed.length > 0 && hasApt()) {
    return {
      missing: `${needed.join(" and ")} by apt`,
      install() {
        const prefix = asRoot();
        if (!prefix) throw new Error(withoutRoot(needed, here, env));
        installByApt(prefix, needed, here, env);
        return describe(look(env), env);
      },
    };
  }
  if (!here.oneDnn) throw unsupportedSystem(here, "this system has no apt to install it by");
  return { present: describe(here, env) };
}

function look(env) {
  const found = findOneDnn(env);
  return {
    oneDnn: found.find((library) => library.supported),
    unsupported: found.filter((library) => !library.supported),
    data: findFashionMnist(env),
  };
}

function describe({ oneDnn, data }, env) {
  const place = data ? `is in ${data}` : `is downloaded (30 MB) to ${fashionMnistCache(env)} when first used`;
  return `oneDNN ${oneDnn.version} is ${oneDnn.path}; Fashion-MNIST ${place}`;
}

function installByApt(prefix, needed, before, env) {
  const updateFailure = update(prefix);
  const complaint = updateFailure ? `\napt-get update failed:\n${updateFailure}` : "";
  if (!before.oneDnn) {
    const version = candidate(ONEDNN_PACKAGE);
    const offer = version ? `apt offers ${version} only` : `apt offers no ${ONEDNN_PACKAGE}`;
    if (!version || !isSupported(version)) throw unsupportedSystem(before, offer, complaint);
  }
  const offered = needed.filter((name) => candidate(name));
  const failure = offered.length > 0 ? install(prefix, offered) : undefined;
  const after = look(env);
  const dataExpected = offered.includes(DATA_PACKAGE) || updateFailure !== undefined;
  if (failure !== undefined || !after.oneDnn || (!after.data && dataExpected)) {
    throw new Error(`apt-get did not install ${needed.join(" and ")}${failure ? `:\n${failure}` : ""}${complaint}`);
  }
}

function absent({ unsupported }) {
  const found = unsupported.map(({ path, version }) => ` (${version} is here, ${path}, but not supported)`);
  return `oneDNN ${SUPPORTED_VERSIONS} is missing${found.join("")}`;
}

function unsupportedSystem(here, reason, complaint = "") {
  return new Error(
    `${absent(here)} and ${reason}.\nUse Debian 12 (package ${ONEDNN_PACKAGE}), or ${OWN_BUILD}.${complaint}`,
  );
}

function withoutRoot(needed, here, env) {
  const lines = [
    `${needed.join(" and ")} must be installed, and you are neither root nor may use sudo here.`,
    "On Debian 12, let someone with root run",
    `    apt-get update && apt-get install --no-install-recommends ${needed.join(" ")}`,
    "and then run the set-up again.",
  ];
  if (!here.oneDnn) lines.push(`${absent(here)}.`, `Without ${ONEDNN_PACKAGE}: ${OWN_BUILD}.`);
  if (!here.data) lines.push(`Without ${DATA_PACKAGE}: put its four files into ${fashionMnistCache(env)}.`);
  return lines.join("\n");
}

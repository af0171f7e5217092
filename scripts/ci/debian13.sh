#!/usr/bin/env bash
# Tests the engine and the arithmetic on oneDNN 3.x, in a Debian 13 root with its own Node.js 20, on a copy of this checkout with its own set-up.
#
# Requires root, and debootstrap or apt to install it. ALEXNET_SKIP_DEBIAN13=1 skips the tests with a message if these are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

subject='oneDNN 3.x' suite=trixie packages=ca-certificates,nodejs
system=${XDG_CACHE_HOME:-$HOME/.cache}/alexnet/debian13
ALEXNET_SKIP_DEBIAN=${ALEXNET_SKIP_DEBIAN13:-}
source scripts/ci/debianRoot.sh

# Some versions of 3.x fail where a virtual machine hides the processor's caches (docs/onednn.md): Debian's unstable suite has a later one.
replaceOneDnn() {
  printf '\n!!! The oneDNN of Debian 13 does not work on this machine, see above: the one of Debian unstable is tested\n'
  sed 's/trixie/sid/' "$system/etc/apt/sources.list" >"$system/etc/apt/sources.list.d/sid.list"
  printf 'APT::Default-Release "trixie";\n' >"$system/etc/apt/apt.conf.d/99release"
  inside apt-get -q update
  inside apt-get -q install --yes --no-install-recommends --target-release=sid libdnnl3.6
}

[ "$ALEXNET_SKIP_DEBIAN" != 1 ] || untested "ALEXNET_SKIP_DEBIAN13 is set"
makeSystem
copyCheckout
inside node scripts/setup.mjs
inside node bin/alexnet.js doctor | tee "$system/tmp/doctor" || true
if grep -q "first-level cache" "$system/tmp/doctor"; then
  replaceOneDnn
  inside node bin/alexnet.js doctor
fi
mapfile -t engine < <(find src/engine -name '*.test.ts')
inside env ALEXNET_TEST_ENGINES=onednn node --import tsx scripts/test.ts --numeric "${engine[@]}"

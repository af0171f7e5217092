#!/usr/bin/env bash
# Sets up a copy of this checkout as the user nobody in a bare Debian 12 root, which has no oneDNN and no sudo: with apt's package lists, and
# without. Then trains and predicts there on oneDNN.
#
#     scripts/ci/noRoot.sh                  # a minute: part of .ci/run
#     scripts/ci/noRoot.sh --without-onednn # the demo where apt has no oneDNN either: on WebAssembly, about 5 minutes
#     scripts/ci/noRoot.sh --demo           # the demo on oneDNN
#     scripts/ci/noRoot.sh --test ARGS…     # npm test; ARGS are its own, such as --numeric
#
# Requires root, and debootstrap or apt to install it. ALEXNET_SKIP_NO_ROOT=1 skips the tests with a message if these are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

subject='The set-up without root' suite=bookworm packages=ca-certificates
system=${XDG_CACHE_HOME:-$HOME/.cache}/alexnet/debian12
ALEXNET_SKIP_DEBIAN=${ALEXNET_SKIP_NO_ROOT:-}
source scripts/ci/debianRoot.sh

asNobody() {
  inside setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp/nobody USER=nobody "$@"
}

newHome() {
  rm -rf "$system/tmp/nobody"
  install -d -m 700 -o nobody -g nogroup "$system/tmp/nobody"
}

# Node.js and npm of this machine.
copyNode() {
  install -m 755 "$(node -p process.execPath)" "$system/usr/local/bin/node"
  rm -rf "$system/usr/local/lib/node_modules"
  mkdir -p "$system/usr/local/lib/node_modules"
  cp -r "$(npm root --global)/npm" "$system/usr/local/lib/node_modules"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$system/usr/local/bin/npm"
}

setUp() {
  newHome
  inside apt-get -q update
  asNobody node scripts/setup.mjs
  asNobody node bin/alexnet.js doctor
  asNobody node bin/alexnet.js train --engine onednn --network alexnet-small --epochs 1 --train-limit 128 --test-limit 64 --run /tmp/nobody/run
  asNobody node bin/alexnet.js predict /tmp/nobody/run docs/fit-crop.png --engine onednn

  newHome
  find "$system/var/lib/apt/lists" -type f -delete
  asNobody node bin/alexnet.js setup
  asNobody node bin/alexnet.js setup | grep 'nothing to install'
}

# Apt knows no package, and nothing is installed but the images.
withoutOneDnn() {
  newHome
  inside apt-get -q update
  asNobody node bin/alexnet.js setup --fashion-mnist
  rm -r "$system/tmp/nobody/.cache/alexnet/onednn"
  find "$system/var/lib/apt/lists" -type f -delete
  mv "$system/etc/apt/sources.list" "$system/etc/apt/sources.list.away"
  trap 'mv "$system/etc/apt/sources.list.away" "$system/etc/apt/sources.list"' EXIT
  asNobody npm run demo
}

[ "$ALEXNET_SKIP_DEBIAN" != 1 ] || untested "ALEXNET_SKIP_NO_ROOT is set"
makeSystem
copyCheckout
copyNode
find "$system/checkout" -xdev -exec chown -h nobody:nogroup {} +
case ${1:-} in
  '') setUp ;;
  --without-onednn) withoutOneDnn ;;
  --demo) newHome && asNobody npm run demo ;;
  --test) newHome && asNobody npm test -- "${@:2}" ;;
  *) echo "noRoot.sh: unknown argument $1" >&2 && exit 2 ;;
esac

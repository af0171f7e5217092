#!/usr/bin/env bash
# Sets up a copy of this checkout as the user nobody in a bare Debian 12 root, which has no oneDNN and no sudo: with apt's package lists, and
# without. Then trains and predicts there on oneDNN.
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

[ "$ALEXNET_SKIP_DEBIAN" != 1 ] || untested "ALEXNET_SKIP_NO_ROOT is set"
makeSystem
copyCheckout
install -m 755 "$(node -p process.execPath)" "$system/usr/local/bin/node"
find "$system/checkout" -xdev -exec chown -h nobody:nogroup {} +

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

#!/usr/bin/env bash
# Installs alexnet and its platform package from tarballs, by npm 12 and pnpm 12, as the user nobody in a bare Debian 12 root, which has no oneDNN.
# Then trains and predicts there on oneDNN.
#
# Requires root, debootstrap or apt to install it, and the libraries that packages/onednn-linux-x64-gnu/build.sh builds in half an hour: not a part of
# .ci/run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

subject='The platform package' suite=bookworm packages=ca-certificates
system=${XDG_CACHE_HOME:-$HOME/.cache}/alexnet/debian12
source scripts/ci/debianRoot.sh

asNobody() {
  inside setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp/nobody USER=nobody PATH=/opt/tools:/usr/bin:/bin \
    NODE_EXTRA_CA_CERTS=/opt/tools/ca.pem "$@"
}

# Copies an npm package that checks use into the root, with the packages that it needs.
copyTool() {
  local folder
  folder=$(node --import ./scripts/typescript.mjs --input-type=module \
    --eval "import { npmTool } from './scripts/ci/npmTools.ts'; console.log(npmTool('$1', '$2'))" | tail -n 1)
  cp -r "$(dirname "$folder")/." "$system/opt/tools/node_modules"
}

# Runs a shell command in a project of nobody.
inProject() {
  asNobody bash -c "cd /tmp/nobody/$1 && $2"
}

useCommand() {
  inProject "$1" "$2 alexnet setup --fashion-mnist"
  inProject "$1" "$2 alexnet doctor" | tee "$system/tmp/doctor"
  grep -q "^oneDNN .*/node_modules/.*alexnet-onednn-linux-x64-gnu/lib/libdnnl" "$system/tmp/doctor"
  inProject "$1" "$2 alexnet train --engine onednn --network alexnet-small --epochs 1 --train-limit 128 --test-limit 64 --run run"
  inProject "$1" "$2 alexnet predict run /opt/tools/image.png --engine onednn"
}

[ -e packages/onednn-linux-x64-gnu/lib/libdnnl.so.2 ] || untested "run packages/onednn-linux-x64-gnu/build.sh first"
makeSystem
rm -rf "$system/opt/tools" "$system/tmp/nobody"
mkdir -p "$system"/opt/tools/{tarballs,node_modules}
node=node-$(node -p 'process.platform + "-" + process.arch')
copyTool "$node" 26
ln -s "node_modules/$node/bin/node" "$system/opt/tools/node"
copyTool npm 12
copyTool pnpm 12
cp docs/fit-crop.png "$system/opt/tools/image.png"
cp "${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}" "$system/opt/tools/ca.pem"
node --import ./scripts/typescript.mjs scripts/packPackages.ts "$system/opt/tools/tarballs"
install -d -m 700 -o nobody -g nogroup "$system/tmp/nobody"
inside apt-get -q update
# Node.js 26 itself is linked with it.
inside apt-get -q install --yes --no-install-recommends libatomic1

alexnet=$(cd "$system" && ls opt/tools/tarballs/alexnet-[0-9]*.tgz)
platform=$(cd "$system" && ls opt/tools/tarballs/alexnet-onednn-linux-x64-gnu-*.tgz)

asNobody mkdir /tmp/nobody/npm
inProject npm "echo '{ \"private\": true }' >package.json"
inProject npm "node /opt/tools/node_modules/npm/bin/npm-cli.js install --no-audit --no-fund /$alexnet /$platform"
useCommand npm "node /opt/tools/node_modules/npm/bin/npx-cli.js --no"

# Pnpm resolves an optional dependency from the registry: the override stands for a published package.
asNobody mkdir /tmp/nobody/pnpm
inProject pnpm "echo '{ \"private\": true }' >package.json; printf 'overrides:\n  alexnet-onednn-linux-x64-gnu: file:/$platform\n' >pnpm-workspace.yaml"
inProject pnpm "node /opt/tools/node_modules/pnpm/bin/pnpm.mjs add --ignore-scripts /$alexnet"
useCommand pnpm "node /opt/tools/node_modules/pnpm/bin/pnpm.mjs exec"

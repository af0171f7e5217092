#!/usr/bin/env bash
# Tests the engine and the arithmetic on oneDNN 3.x, in a Debian 13 root with its own Node.js 20, on a copy of this checkout with its own set-up.
# Debootstrap creates the root in about a minute; it is kept.
#
# Requires root, and debootstrap or apt to install it. ALEXNET_SKIP_DEBIAN13=1 skips the tests with a message if these are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

system=${XDG_CACHE_HOME:-$HOME/.cache}/alexnet/debian13
untested() {
  printf '\n!!! oneDNN 3.x was NOT tested: %s\n' "$1"
  [ "${ALEXNET_SKIP_DEBIAN13:-}" = 1 ]
  exit
}

[ "${ALEXNET_SKIP_DEBIAN13:-}" != 1 ] || untested "ALEXNET_SKIP_DEBIAN13 is set"

# In a namespace of its own, so that its mounts end with the command.
inside() {
  printf '\n[Debian 13] $ %s\n' "$*"
  unshare --mount --pid --fork bash -c 'system=$1; shift
    mount -t proc proc "$system/proc"
    mount --rbind /sys "$system/sys"
    mount --rbind /dev "$system/dev"
    exec chroot "$system" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/bin:/bin:/usr/sbin:/sbin DEBIAN_FRONTEND=noninteractive \
      bash -c "cd /checkout && exec \"\$@\"" - "$@"' - "$system" "$@"
}

makeSystem() {
  [ -e "$system/checkout" ] && return
  command -v debootstrap >/dev/null || { apt-get -q update && apt-get -q install --yes --no-install-recommends debootstrap; }
  rm -rf "$system" "$system.partial"
  mkdir -p "$system.partial"
  debootstrap --variant=minbase --include=ca-certificates,nodejs trixie "$system.partial"
  # Apt in the root uses this machine's mirror settings.
  apt-config dump --format '%F "%v";%n' Acquire >"$system.partial/etc/apt/apt.conf.d/99host" || true
  mkdir "$system.partial/checkout"
  mv "$system.partial" "$system"
}

copyCheckout() {
  find "$system/checkout" -mindepth 1 -delete
  { git ls-files -z --cached --others --exclude-standard && printf 'node_modules\0'; } |
    tar c --null --files-from=- --ignore-failed-read | tar x -C "$system/checkout"
}

# Some versions of 3.x fail where a virtual machine hides the processor's caches (docs/onednn.md): Debian's unstable suite has a later one.
replaceOneDnn() {
  printf '\n!!! The oneDNN of Debian 13 does not work on this machine, see above: the one of Debian unstable is tested\n'
  sed 's/trixie/sid/' "$system/etc/apt/sources.list" >"$system/etc/apt/sources.list.d/sid.list"
  printf 'APT::Default-Release "trixie";\n' >"$system/etc/apt/apt.conf.d/99release"
  inside apt-get -q update
  inside apt-get -q install --yes --no-install-recommends --target-release=sid libdnnl3.6
}

[ "$(id -u)" = 0 ] || untested "only root can create a Debian 13 root"
command -v debootstrap >/dev/null || command -v apt-get >/dev/null || untested "debootstrap is missing, and so is apt to install it"
makeSystem
copyCheckout
inside node scripts/setup.mjs
inside node bin/alexnet.js doctor | tee "$system/tmp/doctor" || true
if grep -q "first-level cache" "$system/tmp/doctor"; then
  replaceOneDnn
  inside node bin/alexnet.js doctor
fi
mapfile -t engine < <(find src/engine -name '*.test.ts')
inside node --import tsx scripts/test.ts --numeric "${engine[@]}"

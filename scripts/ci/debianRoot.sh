# A bare Debian root for checks, sourced by scripts: debootstrap creates it in about a minute, and it is kept.
# `system` is its folder, `suite` the release, `packages` what it contains besides the essentials.

untested() {
  printf '\n!!! %s was NOT tested: %s\n' "$subject" "$1"
  [ "${ALEXNET_SKIP_DEBIAN:-}" = 1 ]
  exit
}

# In a namespace of its own, so that its mounts end with the command.
inside() {
  printf '\n[%s] $ %s\n' "$suite" "$*"
  unshare --mount --pid --fork bash -c 'system=$1; shift
    mount -t proc proc "$system/proc"
    mount --rbind /sys "$system/sys"
    mount --rbind /dev "$system/dev"
    exec chroot "$system" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin DEBIAN_FRONTEND=noninteractive \
      OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}" bash -c "cd /checkout && exec \"\$@\"" - "$@"' - "$system" "$@"
}

makeSystem() {
  [ "$(id -u)" = 0 ] || untested "only root can create a Debian root"
  command -v debootstrap >/dev/null || command -v apt-get >/dev/null || untested "debootstrap is missing, and so is apt to install it"
  [ -e "$system/checkout" ] && return
  command -v debootstrap >/dev/null || { apt-get -q update && apt-get -q install --yes --no-install-recommends debootstrap; }
  rm -rf "$system" "$system.partial"
  mkdir -p "$system.partial"
  debootstrap --variant=minbase --include="$packages" "$suite" "$system.partial"
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

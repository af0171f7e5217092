#!/usr/bin/env bash
# Builds the package's libraries from Debian's sources: oneDNN for processors only, with the primitives that the engine calls, and GNU's OpenMP runtime.
# Takes about half an hour of processor time.
#
#     packages/onednn-linux-x64-gnu/build.sh                  # on Debian 12, with apt
#     packages/onednn-linux-x64-gnu/build.sh --source FILE    # from onednn_2.6.3.orig.tar.gz
#
# Requires cmake, make and g++.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

version=2.6.3
source_sha256=fd47d2470000b5015f6e34134f799683050f81cbc04f53a3b0d323df1bb900bc
primitives='BINARY;CONVOLUTION;ELTWISE;INNER_PRODUCT;LRN;MATMUL;POOLING;REDUCTION;REORDER;SOFTMAX;SUM'
copyright=/usr/share/doc/gcc-12-base/copyright

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# From the mirror in this system's apt settings. Apt checks the list's signature. Its lists and downloads stay in the work folder.
downloadSource() {
  local mirror
  mirror=$(apt-get indextargets --format '$(LABEL) $(SITE)' | awk '$1 == "Debian" && !mirror { mirror = $2 } END { print mirror }')
  if [ -z "$mirror" ]; then
    echo "build.sh: apt has no Debian mirror; run apt-get update on Debian 12, or pass the source with --source" >&2
    exit 1
  fi
  mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial}
  printf 'deb-src %s bookworm main\n' "$mirror" >"$work/apt/sources.list"
  local options=(-o "Dir::State=$work/apt/state" -o "Dir::Cache=$work/apt/cache" -o "Dir::Etc::sourcelist=$work/apt/sources.list"
    -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root)
  apt-get "${options[@]}" -q update
  (cd "$work" && apt-get "${options[@]}" -q source --download-only onednn) && return
  echo "build.sh: $mirror has no source of onednn; get onednn_$version.orig.tar.gz from snapshot.debian.org, and pass it with --source" >&2
  exit 1
}

if [ "${1:-}" = --source ]; then
  cp "$2" "$work/onednn_$version.orig.tar.gz"
else
  downloadSource
fi
echo "$source_sha256  $work/onednn_$version.orig.tar.gz" | sha256sum --check
tar xf "$work/onednn_$version.orig.tar.gz" -C "$work"

# The C++ runtime is linked in, so that an older one of the system serves.
cmake -S "$work/oneDNN-$version" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
  -DDNNL_CPU_RUNTIME=OMP -DDNNL_GPU_RUNTIME=NONE -DDNNL_BUILD_EXAMPLES=OFF -DDNNL_BUILD_TESTS=OFF \
  -DDNNL_ENABLE_JIT_PROFILING=OFF -DDNNL_ENABLE_ITT_TASKS=OFF -DDNNL_ENABLE_WORKLOAD=TRAINING "-DDNNL_ENABLE_PRIMITIVE=$primitives" \
  "-DCMAKE_CXX_FLAGS=-ffunction-sections -fdata-sections" \
  "-DCMAKE_SHARED_LINKER_FLAGS=-static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-s" \
  '-DCMAKE_INSTALL_RPATH=$ORIGIN' -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON
# Make starts any number of compilers where none is given, and each takes hundreds of MB.
cmake --build "$work/build" --parallel "$(nproc)"

rm -rf "$here/lib" "$here/licenses"
mkdir "$here/lib" "$here/licenses"
install -m 644 "$(realpath "$work/build/src/libdnnl.so.2")" "$here/lib/libdnnl.so.2"
install -m 644 "$(realpath "$(g++ -print-file-name=libgomp.so.1)")" "$here/lib/libgomp.so.1"
cp "$work/oneDNN-$version/LICENSE" "$here/licenses/oneDNN.txt"
cp "$work/oneDNN-$version/THIRD-PARTY-PROGRAMS" "$here/licenses/oneDNN-third-party-programs.txt"
cp "$copyright" "$here/licenses/gcc-runtime-libraries.txt"
cp /usr/share/common-licenses/GPL-3 "$here/licenses/GPL-3.txt"
ls -l "$here/lib" "$here/licenses"

#!/usr/bin/env bash
# Records on real kernels, as root, in guests of a kernel lab: under load, killed twenty times, beside somebody else's
# tracing. Not part of `cargo test`: it boots guests under emulation, some minutes each.
#
#   VMAPLENS_LAB=DIR tests/guest/record.sh [GUEST…]
#
# VMAPLENS_LAB   the lab: a folder with a lab.sh that takes `spec FILE` and boots what the file says
# LAB_CACHE      where the lab keeps kernels and results (its own default otherwise)
# VMAPLENS_BIN   the program for amd64 guests; built otherwise, as those for other machines are
# GUEST          some of: 6.1 6.12 7.2 i386 arm64 5.10 (default: all but the last)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${VMAPLENS_LAB:?the folder of the kernel lab}
export LAB_CACHE=${LAB_CACHE:-$lab/cache}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CAPTURES=$scratch/captures
[ $# -gt 0 ] || set -- 6.1 6.12 7.2 i386 arm64

# about GUEST: architecture, release, CPUs, where the program for it is built for.
about() {
    case $1 in
        5.10) echo "amd64 5.10.0-32-cloud-amd64 2 -";;
        6.1) echo "amd64 6.1.0-56-cloud-amd64 2 -";;
        6.12) echo "amd64 6.12.117+deb12-cloud-amd64 2 -";;
        7.2) echo "amd64 7.2.13+deb14-cloud-amd64 2 -";;
        i386) echo "i386 6.5.0-0.deb12.4-686 1 i686-unknown-linux-gnu";;
        arm64) echo "arm64 6.12.117+deb13-cloud-arm64 2 aarch64-unknown-linux-gnu";;
        *) echo "no guest is called $1" >&2; return 1;;
    esac
}

# build TARGET: the program, for this machine (-) or, with its libraries inside, for another.
build() {
    if [ "$1" = - ]; then
        if [ -z "${VMAPLENS_BIN:-}" ]; then
            (cd "$root" && cargo build --quiet --release >&2)
            VMAPLENS_BIN=${CARGO_TARGET_DIR:-$root/target}/release/vmaplens
        fi
        realpath "$VMAPLENS_BIN"
        return
    fi
    rustup target add "$1" >/dev/null 2>&1 || :
    case $1 in
        i686-*) export CC_i686_unknown_linux_gnu="gcc -m32 -I/usr/include/$(gcc -print-multiarch)";;
        aarch64-*) export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc;;
    esac
    # No Parquet: it is no part of recording, and half of the build. Other machines are emulated: what is fast to build
    # is fast enough.
    (cd "$root" && RUSTFLAGS='-C target-feature=+crt-static' CARGO_PROFILE_DEV_DEBUG=0 \
        cargo build --quiet --no-default-features --target "$1" >&2)
    realpath "${CARGO_TARGET_DIR:-$root/target}/$1/debug/vmaplens"
}

failed=0
host=$(build -)
for guest; do
    read -r arch release cpus target <<<"$(about "$guest")"
    program=$(build "$target")
    name=record-$guest
    {
        printf 'ARCH=%s REL=%s SMP=%s MEM=1024 TRACE_ON=manual SNAP=0 TIMEOUT=%s\n' "$arch" "$release" "$cpus" 1500
        # An emulated clock that is found wanting has the kernel patch itself while it runs, which emulation does not survive.
        printf 'APPEND=tsc=reliable\nDESC="vmaplens record"\nHASHED=\nEXTRA_BIN="%s"\nVL=%s\n' "$program" "$program"
        # A module that asks for more than a window has, so that something fails: the lab builds it for these alone.
        [ "$arch" = amd64 ] && echo OOT=vmstress
        cat "$here/record.guest"
    } >"$scratch/$name.sh"
    printf '\n== %s (%s, %s CPUs)\n' "$release" "$arch" "$cpus"
    "$lab/lab.sh" spec "$scratch/$name.sh" >"$scratch/$name.log" 2>&1 || { tail -5 "$scratch/$name.log"; failed=1; continue; }
    out=$LAB_CACHE/run/$name/out
    cat "$out/told" 2>/dev/null || { tail -5 "$scratch/$name.log"; failed=1; continue; }
    grep -q '^FAIL' "$out/told" && failed=1
    grep -q '^done$' "$out/told" || { echo "FAIL the guest did not get to its end"; failed=1; }
    for bundle in "$out"/bundles/*; do
        printf -- '-- %s\n' "$(basename "$bundle")"
        code=0
        "$host" verify --quiet "$bundle" >"$scratch/verify" 2>&1 || code=$?
        grep -E 'judged|areas, model|error' "$scratch/verify" || :
        [ "$code" -le 1 ] || { echo "FAIL it cannot be read back"; failed=1; }
        # The address space at the end is the kernel's own, area by area.
        if grep -q 'areas, model' "$scratch/verify" && ! grep -q '0 missing, 0 extra' "$scratch/verify"; then
            echo 'NOTE areas differ at the end'
        fi
        [ -f "$bundle/checksums.txt" ] && { (cd "$bundle" && sha256sum --quiet -c checksums.txt) || { echo 'FAIL sums'; failed=1; }; }
    done
done
[ "$failed" = 0 ] && echo && echo 'all fine'
exit "$failed"

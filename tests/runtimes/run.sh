#!/usr/bin/env bash
# The checks on real runtimes: `npm run test:runtimes`, or with `-- --install` to install first what is missing on Debian.
# A missing tool is a failure, never a skip.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(ca-certificates build-essential clang lld cmake libclang-dev libmbedtls-dev wabt
  gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
  gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc libcoap3-bin)
install=no
for argument in "$@"; do
  case $argument in
  --install) install=yes ;;
  *)
    echo "usage: npm run test:runtimes [-- --install]" >&2
    exit 2
    ;;
  esac
done

# The oldest Rust that builds the locked crates.
rust=1.85
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)

new_enough() { [ -n "$1" ] && dpkg --compare-versions "$1" ge "$rust"; }
cargo_version() { "$1" --version 2>/dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p'; }
# The first cargo of PATH that is new enough comes before all others, with its rustc: one in front may be too old, or
# rustup's stand-in without a toolchain.
choose_cargo() {
  local found
  while read -r found; do
    if new_enough "$(cargo_version "$found")"; then
      PATH="$(dirname "$found"):$PATH"
      return
    fi
  done < <(type -ap cargo)
  return 1
}
# Debian's cargo, or the newer one that it keeps for its browsers beside an old one.
cargo_package() {
  local package candidate
  for package in cargo cargo-web; do
    candidate=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
    if [ "$candidate" != "(none)" ] && new_enough "$candidate"; then
      echo "$package"
      return
    fi
  done
}

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
cargo=yes
choose_cargo || cargo=no

if [ "$install" = yes ] && { [ ${#missing[@]} -gt 0 ] || [ $cargo = no ]; }; then
  "${as_root[@]}" apt-get update -q
  if [ $cargo = no ]; then
    package=$(cargo_package)
    [ -z "$package" ] || missing+=("$package")
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
  missing=()
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "missing packages: ${missing[*]}: install them, or run npm run test:runtimes -- --install" >&2
  exit 1
fi
if [ $cargo = no ] && ! choose_cargo; then
  echo "cargo $rust or later is missing ($(cargo_version cargo | grep . || echo none) is there): install Rust (https://rustup.rs)" >&2
  exit 1
fi

npm run --silent build
cargo build --release --locked --manifest-path tests/runtimes/Cargo.toml
# A figure that is off does not keep the checks from being run; theirs are the last lines.
figures=0
node build/tests/runtimes/mcu/run.js || figures=$?
node --test --test-reporter=spec build/tests/runtimes/*.check.js
exit "$figures"

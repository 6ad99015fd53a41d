#!/usr/bin/env bash
# The checks on real runtimes: `npm run test:runtimes`, or with `-- --install` to install first what is missing on Debian.
# A missing tool is a failure, never a skip.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(build-essential cmake libclang-dev libmbedtls-dev wabt gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm libcoap3-bin)
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

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ] && [ "$install" = yes ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
elif [ ${#missing[@]} -gt 0 ]; then
  echo "missing packages: ${missing[*]}: install them, or run npm run test:runtimes -- --install" >&2
  exit 1
fi
if ! command -v cargo >/dev/null; then
  echo "cargo is missing: install Rust 1.85 or later (https://rustup.rs)" >&2
  exit 1
fi

npm run --silent build
cargo build --release --locked --manifest-path tests/runtimes/Cargo.toml
node build/tests/runtimes/mcu/run.js
node --test --test-reporter=spec build/tests/runtimes/*.check.js

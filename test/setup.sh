#!/usr/bin/env bash
# What the tests need beside Node: installed by apt where this runs as root, otherwise named.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need redis-server redis-server
need goaccess goaccess
need chromium chromium
need openssl openssl

# the examples of deploy/ are run with these; their tests are skipped without them
wanted=()
want() { command -v "$1" >/dev/null 2>&1 || wanted+=("$2"); }
want nginx nginx-light
want haproxy haproxy

[ ${#missing[@]} -eq 0 ] && [ ${#wanted[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "test/setup.sh: installing ${missing[*]} ${wanted[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 update -qq >/dev/null
  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" "${wanted[@]}" >/dev/null
  exit 0
fi
[ ${#missing[@]} -eq 0 ] && exit 0
echo "The tests need: ${missing[*]}. On Debian: sudo apt-get install ${missing[*]}" >&2
exit 1

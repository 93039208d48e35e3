#!/usr/bin/env bash
# The demo as a new user runs it, on free ports: two badges asked for twice, the second time from the cache.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
# Below the ports that the system gives to outgoing connections (32768 and up)
port=$((20000 + RANDOM % 12000))
export LACQUER_PROXY__LISTEN=127.0.0.1:$port LACQUER_PROXY__ADMIN=127.0.0.1:$((port + 1)) LACQUER_ORIGIN__LISTEN=127.0.0.1:$((port + 2))
export LACQUER_PROXY__ORIGIN=http://127.0.0.1:$((port + 2)) LACQUER_CACHE__DIR=$dir/cache LACQUER_SHIELDS__DIR=$dir/shields
export LACQUER_ORIGIN__LOOKUP__DIR=$dir/lookup LACQUER_LOG__ACCESS=$dir/access.ndjson

setsid npm run --silent demo >"$dir/out" 2>&1 &
demo=$!
trap 'kill -- -"$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -rf "$dir"' EXIT

for _ in $(seq 100); do curl -fsS "http://127.0.0.1:$port/version/requests/badge.svg" -o /dev/null 2>/dev/null && break; sleep 0.2; done
curl -fsS "http://127.0.0.1:$port/version/requests/badge.svg" -o /dev/null || { cat "$dir/out"; exit 1; }
for path in version/requests license/flask; do
  curl -fsS "http://127.0.0.1:$port/$path/badge.svg" -o "$dir/badge.svg"
  grep -q '<svg' "$dir/badge.svg"
  curl -fsS -D "$dir/head" -o "$dir/again.svg" "http://127.0.0.1:$port/$path/badge.svg"
  grep -qi '^cache-status: lacquer; hit' "$dir/head" || { cat "$dir/head" "$dir/out"; exit 1; }
  cmp -s "$dir/badge.svg" "$dir/again.svg"
done
echo "smoke: two badges, second answers from the cache"

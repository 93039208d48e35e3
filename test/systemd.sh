#!/usr/bin/env bash
# `npm run test:systemd`: the units of deploy/ under a real systemd. Boots it in a container over an overlay of this machine's
# files, installs as docs/operations.md says, then starts, asks, reloads, restarts under load, stalls and stops the service.
# Needs root, systemd-nspawn (Debian: systemd-container), curl, openssl, and the built program. Nothing outside is changed.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
for program in systemd-nspawn curl openssl; do
  command -v "$program" >/dev/null || { echo "needs $program" >&2; exit 1; }
done
[ "$(id -u)" -eq 0 ] || { echo 'needs root' >&2; exit 1; }

work=$(mktemp -d)
root=$work/root
leave() {
  umount "$root" 2>/dev/null || true
  umount "$work/over" 2>/dev/null || true
  rm -rf "$work"
}
trap leave EXIT
mkdir -p "$work"/{over,out} "$root"
mount -t tmpfs -o size=256m tmpfs "$work/over"
mkdir -p "$work"/over/{upper,work}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/over/upper,workdir=$work/over/work" "$root"

# only what a bare system has: what this machine runs besides is not to be started in the container
units=$root/etc/systemd/system
rm -rf "$units"/*.wants
mkdir -p "$units/multi-user.target.wants" "$root/opt/lacquer"
cat >"$units/try.service" <<'UNIT'
[Service]
ExecStart=/bin/bash /out/try.sh
StandardOutput=file:/out/log
StandardError=inherit
UNIT
ln -sf ../try.service "$units/multi-user.target.wants/try.service"

# the commands of docs/operations.md, as they stand there
install=$(sed -n '/^As a service under systemd/,/^systemd starts it anew/p' "$here/docs/operations.md" | sed -n 's/^    //p')
enable=$(tail -n 1 <<<"$install")
cat >"$work/out/try.sh" <<SCRIPT
cd /opt/lacquer
umask 022
said() { echo "RESULT \$*"; }
$(head -n -1 <<<"$install")
mkdir -p /etc/lacquer/tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=badges.example.org \
  -addext subjectAltName=DNS:badges.example.org -keyout /etc/lacquer/tls/privkey.pem -out /etc/lacquer/tls/fullchain.pem
chgrp lacquer /etc/lacquer/tls/privkey.pem && chmod 0640 /etc/lacquer/tls/privkey.pem
# a stall is to be noticed within the time of a test
sed -i 's/^WatchdogSec=.*/WatchdogSec=4/' /etc/systemd/system/lacquer.service
$enable && said started
SCRIPT
cat >>"$work/out/try.sh" <<'SCRIPT'
state() { systemctl show -p "$1" --value lacquer; }
get() { curl -sk --max-time 20 -o /dev/null -w '%{http_code} %{http_version}' --resolve badges.example.org:443:127.0.0.1 "$@"; }
badge=https://badges.example.org/badge/a-b-blue.png
[ "$(get http://127.0.0.1/x)" = '301 1.1' ] && said 'port 80 redirects'
[ "$(get $badge)" = '200 2' ] && said 'port 443 speaks HTTP/2, raster images too'
curl -sk -o /dev/null -D - --resolve badges.example.org:443:127.0.0.1 $badge | grep -q 'cache-status: lacquer; hit' && said 'it stores'
main=$(state MainPID)
grep -q "^CapEff:.*0000000000000000" /proc/$main/status && grep -q '^Seccomp:.*2' /proc/$main/status && ! grep -q '^Uid:.0' /proc/$main/status && said 'no privilege'
[ "$(stat -c '%U %a' /run/lacquer/admin.sock)" = 'lacquer 660' ] && curl -s --unix-socket /run/lacquer/admin.sock http://x/health | grep -q '"ready":true' && said 'admin socket'
sed -i 's/maxSize: [0-9A-Za-z]*/maxSize: 3GiB/' /etc/lacquer/lacquer.yaml
systemctl reload lacquer && for i in $(seq 50); do journalctl -u lacquer --no-pager | grep -q 'configuration applied' && { said reloaded; break; }; sleep 0.1; done
if command -v logrotate >/dev/null; then
  logrotate -f /etc/logrotate.d/lacquer
  for i in $(seq 50); do [ -s /var/log/lacquer/access.ndjson ] && break; get $badge >/dev/null; sleep 0.1; done
  [ -s /var/log/lacquer/access.ndjson ] && [ -s /var/log/lacquer/access.ndjson.1 ] && [ "$(stat -c %U /var/log/lacquer/access.ndjson)" = lacquer ] && said 'logs rotate'
fi
( failed=0; for i in $(seq 200); do [ "$(get $badge?$i)" = '200 2' ] || failed=$((failed + 1)); done; echo $failed >/out/failed ) &
load=$!
systemctl kill --signal=USR2 --kill-whom=main lacquer; sleep 2
[ "$(state MainPID)" = "$main" ] && said 'upgraded in place'
systemctl restart lacquer && [ "$(state MainPID)" != "$main" ] && said restarted
wait $load
said "failed through upgrade and restart: $(cat /out/failed)"
restarts=$(state NRestarts)
sleep 9
[ "$(state NRestarts)" = "$restarts" ] && said 'the watchdog is content for two of its times'
main=$(state MainPID)
kill -STOP $main
for i in $(seq 300); do [ "$(state MainPID)" != "$main" ] && [ "$(state SubState)" = running ] && break; sleep 0.1; done
[ "$(state NRestarts)" -gt "$restarts" ] && [ "$(get $badge)" = '200 2' ] && said 'stalled, killed, started anew, warm'
systemctl stop lacquer.service 2>/dev/null
[ "$(state Result) $(state ExecMainStatus)" = 'success 0' ] && said 'stopped in order'
systemctl poweroff
SCRIPT

timeout 150 systemd-nspawn -D "$root" -b --register=no --keep-unit --private-network --console=pipe \
  --bind-ro="$here:/opt/lacquer" --bind="$work/out:/out" </dev/null >"$work/console" 2>&1 || true

expected=('started' 'port 80 redirects' 'port 443 speaks HTTP/2, raster images too' 'it stores' 'no privilege' 'admin socket' 'reloaded'
  'upgraded in place' 'restarted' 'failed through upgrade and restart: 0' 'the watchdog is content for two of its times'
  'stalled, killed, started anew, warm' 'stopped in order')
command -v logrotate >/dev/null && expected+=('logs rotate')
bad=0
for line in "${expected[@]}"; do
  if grep -qxF "RESULT $line" "$work/out/log"; then echo "ok      $line"; else echo "not ok  $line"; bad=1; fi
done
[ $bad -eq 0 ] || { cat "$work/out/log" >&2; tail -n 20 "$work/console" >&2; }
exit $bad

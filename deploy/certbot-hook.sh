#!/bin/sh
# certbot's --deploy-hook: makes a renewed certificate readable to Lacquer, which notices the new files within seconds and
# shows them from the next handshake on; open connections are not touched. See docs/operations.md, Certificates.
set -eu
: "${RENEWED_LINEAGE:?is set by certbot}"
into=${LACQUER_TLS_DIR:-/etc/lacquer/tls}
umask 077
mkdir -p "$into"
group=${LACQUER_GROUP:-lacquer}
for file in privkey.pem fullchain.pem; do
    cp "$RENEWED_LINEAGE/$file" "$into/.$file.new"
    if getent group "$group" >/dev/null; then chgrp "$group" "$into/.$file.new" "$into"; fi
    chmod 0640 "$into/.$file.new"
    mv "$into/.$file.new" "$into/$file"
done
chmod 0750 "$into"

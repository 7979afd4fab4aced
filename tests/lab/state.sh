# Everything that pages answer for on a host, as text: two hosts, or one host at two times, are in the same state when
# the text is the same. Left out is what differs by nature: times, ids, record, backups, data files.
set -u
echo '# files'
find /etc/motorcade /etc/containers /etc/nginx /etc/sysusers.d /etc/systemd/system /srv/motorcade /var/log/motorcade /usr/local \
    \( -path /etc/containers/networks -o -path '/srv/motorcade/volumes/*/*' -o -path '/srv/motorcade/backups/*' \
    -o -path '/srv/motorcade/spool/wal/[0-9A-F.]*' -o -path '/var/log/motorcade/*/*' \) -prune -o -printf '%p %y %m %U:%G %l\n' 2>/dev/null | sort
find /etc/motorcade /etc/containers /etc/nginx /etc/sysusers.d /etc/systemd/system -path /etc/containers/networks -prune -o -type f -print0 2>/dev/null |
    sort -z | xargs -0r sha256sum
echo '# packages'
dpkg-query --show podman netavark aardvark-dns nftables crun conmon nginx pgbackrest postgresql-client-17 2>/dev/null
command -v podman >/dev/null || exit 0
echo '# podman'
podman network ls --format '{{.Name}} {{.Driver}}' | sort
podman secret ls --format '{{.Name}}' | sort | while read -r name; do
    echo "$name $(podman secret inspect --format '{{index .Spec.Labels "cipher"}}' "$name")"
done
podman images --format '{{.Repository}}:{{.Tag}}' | sort
podman ps --all --format '{{.Names}} {{.State}} {{.Image}} {{index .Labels "motorcade.config"}}' | sort
echo '# units'
for unit in motorcade.target motorcade-core-network.service motorcade-postgres.service motorcade-wal-ship.service \
    motorcade-backup.timer motorcade-backup.path motorcade-drill.timer motorcade-heartbeat.timer motorcade-redis.service \
    motorcade-redis-healthcheck.timer motorcade-leadgen-api.socket motorcade-leadgen-api.service \
    motorcade-leadgen-worker.service motorcade-leadgen-sweeper.service motorcade-leadgen-watchdog.timer nginx.service \
    motorcade-nginx-logs.timer motorcade-nginx-limits.service motorcade-alerts.timer; do
    systemctl show --property Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload "$unit"
done
systemctl list-dependencies --plain motorcade.target
echo '# database'
podman exec motorcade-postgres pg_dumpall --schema-only --quote-all-identifiers 2>/dev/null | grep -v '^\\\(un\)\?restrict'
echo '# passed'
grep -rhoE '"(page|release|config|state)": "[^"]*"' /var/lib/motorcade/steps 2>/dev/null | sort
ls /var/lib/motorcade/steps 2>/dev/null
exit 0

# {{ page }} owns this file. Logs above 16 MiB become .1 and the former .1 goes, so that they never fill the disk.
set -eu
cd /var/log/motorcade/nginx
big=$(find . -maxdepth 1 -name '*.log' -size +16M)
[ "$big" ] || exit 0
for log in $big; do mv -f "$log" "$log.1"; done
# A reload, not a reopen: nginx may write its logs, but not create new ones.
systemctl reload nginx.service

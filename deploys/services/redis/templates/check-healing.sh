# Kills Redis and waits until a new container answers.
set -eu
before=$(podman inspect --format '{% raw %}{{.State.StartedAt}}{% endraw %}' motorcade-redis)
podman kill --signal KILL motorcade-redis >/dev/null
tries=0
while [ $tries -lt 60 ]; do
    tries=$((tries + 1))
    sleep 0.5
    now=$(podman inspect --format '{% raw %}{{.State.StartedAt}}{% endraw %}' motorcade-redis 2>/dev/null) || continue
    [ "$now" != "$before" ] || continue
    [ "$(timeout 5 podman exec motorcade-redis redis-ask PING)" != PONG ] || exit 0
done
echo 'Redis did not come back within 30 seconds'
exit 1

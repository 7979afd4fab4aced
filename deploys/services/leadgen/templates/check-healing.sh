# Kills the API's first process and waits until a new container answers.
set -eu
life() { podman inspect --format '{% raw %}{{.Id}}{% endraw %}' motorcade-leadgen-api 2>/dev/null; }
before=$(life)
podman kill --signal KILL motorcade-leadgen-api >/dev/null
end=$(($(date +%s) + 30))
until [ "$(life)" != "$before" ] && curl --silent --fail --max-time 5 http://{{ address }}/lead/ready >/dev/null; do
    [ "$(date +%s)" -lt $end ] || { echo 'the API did not come back within 30 seconds'; exit 1; }
    sleep 0.3
done

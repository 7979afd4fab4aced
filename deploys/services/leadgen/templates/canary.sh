# Runs beside the API, with its rights and its database, in a network of its own that only this host can enter.
name=motorcade-leadgen-canary
end() {
    code=$?
    set +e
    [ $code = 0 ] || { echo "the canary of {{ release }} failed; its last lines:"; podman logs --tail 30 $name 2>&1; }
    timeout 60 podman rm --force --time 10 $name >/dev/null
    exit $code
}
why() {
    echo "the canary of {{ release }}: $1" >/var/lib/motorcade/why
    echo "$1"
    exit 1
}
trap end EXIT
trap '' PIPE # a lost connection must not stop the cleanup
trap 'exit 1' HUP INT TERM
set -eu
podman run --detach --replace --name $name --pull never --network none --read-only --cap-drop all \
    --security-opt no-new-privileges --log-driver k8s-file --log-opt max-size=1mb \
{% for words in as_the_unit %}
    {{ words }} \
{% endfor %}
    {{ image }} serve >/dev/null
ask() {
    nsenter --target "$(podman inspect --format '{% raw %}{{.State.Pid}}{% endraw %}' $name)" --net \
        curl --silent --fail --max-time 5 "http://{{ address }}/lead/$1"
}
end=$(($(date +%s) + 45))
until ask ready >/dev/null 2>&1; do
    [ "$(podman inspect --format '{% raw %}{{.State.Status}}{% endraw %}' $name)" = running ] || why 'it exited at startup'
    [ "$(date +%s)" -lt $end ] || why 'not ready within 45 seconds'
    sleep 0.5
done
ask health | grep -q '"release": *"{{ release }}"' || why 'its release differs from its tag'
timeout 30 podman exec $name leadgen check --write --no-redis || why 'it cannot write a lead'

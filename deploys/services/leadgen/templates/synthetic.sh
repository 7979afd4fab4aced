{# Shell functions of the checks that send a synthetic lead to `base` and remove it again. #}
key="{{ page }}-$(cat /proc/sys/kernel/random/uuid)"
lead={{ lead }}
answer=$(mktemp)

sql() {
    printf '%s\n' "$1" | timeout 60 podman exec --interactive motorcade-postgres psql --no-psqlrc --quiet \
        --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname=motorcade
}

as_probe() { # curl with the probe's key, which comes from Podman through a pipe and appears in no process list
    {
        printf 'header = "Authorization: Bearer '
        podman secret inspect --showsecret --format '{% raw %}{{.SecretData}}{% endraw %}' motorcade-leadgen-probe-key | tr -d '\n'
        printf '"\n'
    } | curl --config - --silent --show-error --max-time 30 {{ curl }} --output "$answer" --write-out '%{http_code}' "$@"
}

post() { # prints the status
    as_probe --header 'Content-Type: application/json' --header 'Prefer: handling=strict' \
        --header "Idempotency-Key: $key" --data "$lead" {{ base }}/lead/intake
}

post_accepted() {
    status=$(post) || fail 'no answer'
    [ "$status" = 202 ] || fail "answered $status"
    id=$(sed -n 's/.*"intake_id": *"\([0-9a-f-]*\)".*/\1/p' "$answer")
    [ "$id" ] || fail 'no intake_id in the answer'
}

is_lead() {
    [ "$(sql "SELECT count(*) FROM app.leads WHERE intake_id = '$id'")" = 1 ]
}

becomes_lead() { # within $1 seconds
    end=$(($(date +%s) + $1))
    until is_lead; do
        [ "$(date +%s)" -lt $end ] || fail "$id is not a lead after $1 seconds"
        sleep 0.3
    done
}

fail() { # the output holds no personal data: the lead is synthetic, and health has only counts
    echo "$1; the answer was: $(head -c 600 "$answer")"
    echo "health: $(curl --silent --max-time 5 http://{{ address }}/lead/health | head -c 600)"
    for unit in api worker sweeper; do
        echo "motorcade-leadgen-$unit: $(systemctl is-active motorcade-leadgen-$unit.service)"
    done
    exit 1
}

# shellcheck disable=SC2329 # `finish` calls it
restore() { :; } # a check restarts here what it has stopped

finish() {
    status=$?
    trap - EXIT
    rm -f "$answer"
    restore || status=1
    for each in ${earlier_key-} $key; do
        sql "SET ROLE motorcade_owner; SELECT app.remove_synthetic('{{ client }}', '$each')" >/dev/null || status=1
    done
    exit $status
}
trap finish EXIT
trap '' PIPE # a lost connection must not stop the cleanup
trap 'exit 1' HUP INT TERM

# The whole release or none of it: on any failure the previous one is restored.
# One roll at a time, even if an operator was lost and the next one acknowledged the run: the script goes on alone.
exec 9>/var/lib/motorcade/roll.lock
flock --wait 600 9 || { echo 'another roll is in progress; wait for it to finish'; exit 1; }
before={{ stage }}
# The backup of a roll that died halfway is still the one to go back to, unless the page has passed since.
if [ ! -d $before ] || [ "$(find {{ step }} -newer $before 2>/dev/null)" ]; then
    rm -rf $before $before.new
    mkdir -p -m 0700 $before.new
{% for folder in folders %}
    mkdir -p {{ folder }}
    [ ! -f {{ folder }}/50-release.conf ] || cp -p {{ folder }}/50-release.conf $before.new/{{ loop.index }}
{% endfor %}
    curl --silent --max-time 5 http://{{ address }}/lead/health |
        sed -n 's/.*"release": *"\([^"]*\)".*/\1/p' >$before.new/release
    sync $before.new/*
    mv -T $before.new $before
fi
before_release=$(cat $before/release)

forgive() { # a reached start limit also blocks the socket, and manual restarts count
    systemctl reset-failed "motorcade-leadgen-$1.service" "motorcade-leadgen-$1.socket" 2>/dev/null || true
}

restart() {
    forgive "$1"
    timeout 120 systemctl restart "motorcade-leadgen-$1.service"
}

start() { # nothing if it runs
    forgive "$1"
    timeout 120 systemctl start "motorcade-leadgen-$1.service"
}

serves() { # the release $1, within $2 seconds: it reports the release, and the database accepts a lead
    end=$(($(date +%s) + $2))
    # Callers wait in the socket meanwhile, so a third start is a failure.
    until curl --silent --max-time 5 http://{{ address }}/lead/health | grep -q "\"release\": *\"$1\"" &&
        curl --silent --fail --max-time 5 http://{{ address }}/lead/ready >/dev/null; do
        [ "$(date +%s)" -lt $end ] && [ "$(systemctl show -P NRestarts motorcade-leadgen-api.service)" -lt 3 ] || return 1
        sleep 0.3
    done
}

drain() { # worker and sweeper do, within 20 seconds: by heartbeats of their own, not of the previous release
    end=$(($(date +%s) + 20))
    until health=$(curl --silent --max-time 5 http://{{ address }}/lead/health) &&
        fallen=sweeper && [ "$(timeout 10 podman exec motorcade-postgres psql --no-psqlrc --quiet --tuples-only --no-align --dbname=motorcade \
            --command="SELECT release FROM app.heartbeats WHERE service = 'sweeper'")" = {{ release }} ] &&
        fallen=worker && case $health in
        # Without Redis there is no worker, and no reason to hold a release: the sweeper drains.
        *'"redis": "ok"'*'"worker": "ok"'* | *'"worker": "ok"'*'"redis": "ok"'*) ;;
        *'"redis": "ok"'*) false ;;
        esac; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.5
    done
}

life() { # of one service: the ids of its container and image
    podman inspect --format '{% raw %}{{.Id}} {{.Image}}{% endraw %}' "motorcade-leadgen-$1"
}

stay() { # each container is the same for five seconds, and runs what was recorded at the build; `fallen` is not
{% for service in services %}
    fallen={{ service }}
    first_{{ service }}=$(life "$fallen") || return 1
{% endfor %}
    sleep 5
{% for service in services %}
    fallen={{ service }}
    [ "$(life "$fallen")" = "$first_{{ service }}" ] && [ "${first_{{ service }}#* }" = "$(cat {{ id_file }})" ] || return 1
{% endfor %}
}

taken_back() { # the id of a service's container, if it is of the release that is taken back
    podman inspect --format '{% raw %}{{.ImageName}} {{.Id}}{% endraw %}' "motorcade-leadgen-$1" 2>/dev/null |
        sed -n 's|^{{ image }} ||p'
}

replace() { # but leave alone what systemd itself has started since: a stop that early would cost its callers
    if systemctl is-active --quiet "motorcade-leadgen-$1.service" &&
        { [ "$(taken_back "$1")" ] || ! life "$1" >/dev/null 2>&1; }; then restart "$1"; else start "$1"; fi
}

back() { # nothing may stop this halfway: neither a missing log nor a lost connection
    trap '' HUP INT TERM PIPE
    set +e
    echo "{{ release }}: $1"
    echo "last lines of /var/log/motorcade/leadgen-$2/container.log:"
    tail -n 30 "/var/log/motorcade/leadgen-$2/container.log"
    # Its id, read now: once systemd has read the drop-ins, the name may be that of the previous release's container.
    bad_api=$(taken_back api)
{% for folder in folders %}
    rm -f {{ folder }}/50-release.conf
    [ ! -f $before/{{ loop.index }} ] || cp -p $before/{{ loop.index }} {{ folder }}/50-release.conf
{% endfor %}
    systemctl daemon-reload
    # An API that has failed and does not answer has nothing to finish; stopping it would take longer than callers wait.
    if [ "$2" = api ] && [ "$bad_api" ] &&
        ! curl --silent --max-time 2 http://{{ address }}/lead/health >/dev/null; then
        timeout 20 podman kill --signal KILL "$bad_api" >/dev/null 2>&1
    fi
    for service in {{ services | join(" ") }}; do replace $service; done
    if [ -z "$before_release" ]; then now='nothing served before'
    elif serves "$before_release" 60; then now="$before_release is back"; else now="and $before_release does not serve either"; fi
    echo "$now"
    echo "{{ release }}: $1; $now" >/var/lib/motorcade/why
    touch -d @0 {{ id_file }} # it is not worth keeping for a rollback
    rm -rf $before
    exit 1
}

trap 'back "stopped half way" api' HUP INT TERM
sh -euc {{ install }} || back 'the units are refused' api
restart api || back 'the API does not start' api
serves {{ release }} 20 || back 'the API does not serve' api
{% for service in services if service != "api" %}
restart {{ service }} || back 'the {{ service }} does not start' {{ service }}
{% endfor %}
drain || back "the $fallen gives no sign of life" "$fallen"
stay || back "the $fallen does not stay up" "$fallen"
touch {{ id_file }}
rm -rf $before

#!/bin/bash
# {{ page }} owns this file. Asks {{ unit }} one question and restarts it when the answer
# fails to come three times in a row, {{ recoveries }} times an hour at most. After that the service needs a
# person: the watch itself fails, to report it.
set -eu
unit={{ unit }}
misses=$RUNTIME_DIRECTORY/misses
recoveries=$STATE_DIRECTORY/recoveries

# Prints the invocation of the unit, which differs each time it starts; nothing unless it is active.
life() {
    local seen
    seen=$(systemctl show --property ActiveState,InvocationID "$unit") || return
    [[ $seen != *ActiveState=active* ]] || { [[ $seen =~ InvocationID=([0-9a-f]+) ]] && echo "${BASH_REMATCH[1]}"; }
}

# The kernel accepts connections even for a hung program: only the answer counts.
answers() {
    local reply
    # shellcheck disable=SC2016 # for the inner bash
    reply=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"; printf %b "$2" >&3; read -r line <&3; echo "$line"' \
        "$address" {{ port }} {{ request }}) || true
    [[ $reply == {{ answer }}* ]]
}

# Prints the times of the last hour's recoveries; a time in the future is ignored.
recent() {
    local at
    [ ! -f "$recoveries" ] || while read -r at; do
        [[ ! $at =~ ^[1-9][0-9]{0,11}$ ]] || ((at <= EPOCHSECONDS - 3600 || at > EPOCHSECONDS)) || echo "$at"
    done <"$recoveries"
}

now=$(life)
if [ -z "$now" ]; then
    rm -f "$misses"
    exit 0
fi
{% if address.startswith("/") %}
address=$(cat {{ address }})
{% else %}
address={{ address }}
{% endif %}
if answers; then
    rm -f "$misses"
    exit 0
fi

known='' count=0
[ ! -f "$misses" ] || read -r known count <"$misses"
[ "$known" = "$now" ] || count=0
echo "$now $((count += 1))" >"$misses"
echo "$unit: does not answer ($count in a row)"
((count >= 3)) || exit 0

# shellcheck disable=SC2046 # one word a time of recovery
set -- $(recent)
if (($# >= {{ recoveries }})); then
    echo "$unit: restarted {{ recoveries }} times within the hour and still does not answer; read its log, then restart it by hand"
    exit 1
fi
# Recorded before the restart: a watch that is interrupted must not forget it.
printf '%s\n' "$@" "$EPOCHSECONDS" >"$recoveries.new"
mv -f "$recoveries.new" "$recoveries"
rm -f "$misses"
echo "$unit: restarted ($(($# + 1)) within the hour)"
# Not `kill`: with its conmon gone, podman needs a failed start to see that the container is dead.
# A unit that an operator has stopped meanwhile stays stopped.
systemctl try-restart --no-block "$unit"

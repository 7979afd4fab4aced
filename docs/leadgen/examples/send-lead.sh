#!/bin/sh
# Send one lead: send-lead.sh [IDEMPOTENCY_KEY] <lead.json
#
# LEAD_URL       https://<edge>/api/lead/intake
# LEAD_KEY_FILE  a file with the API key, readable only by its owner
# LEAD_CA_FILE   the edge's CA, if this machine does not already trust it
#
# Prints the intake_id and exits with 0, or prints why it failed and exits with 1. Needs Linux and curl (7.55 or newer).
set -eu
export LC_ALL=C

TRIES=5
TRY_SECONDS=10
TOTAL_SECONDS=60

die() {
    printf 'send-lead: %s\n' "$*" >&2
    exit 1
}

post() { # prints the response status; the key comes by standard input, because every user can see the arguments
    printf 'X-API-Key: %s\n' "$api_key" |
        curl --silent --show-error --max-time "$TRY_SECONDS" ${LEAD_CA_FILE:+--cacert "$LEAD_CA_FILE"} \
            --header @- --header 'Content-Type: application/json' --header "Idempotency-Key: $key" \
            --header 'X-Lead-Source: motorcade.vip' --header 'Prefer: handling=strict' \
            --data-binary "@$work/lead" --dump-header "$work/headers" --output "$work/answer" \
            --write-out '%{http_code}' "$LEAD_URL"
}

case ${LEAD_URL:-} in
    https://* | http://127.0.0.1:*) ;;
    *) die 'LEAD_URL: not an https URL, so the API key would be sent unencrypted; correct it' ;;
esac
[ -r "${LEAD_KEY_FILE:-}" ] || die 'LEAD_KEY_FILE: does not name a readable file; put the API key into one'

bom=$(printf '\357\273\277') # some editors put it before UTF-8
api_key=$(sed "1s/^$bom//; s/$(printf '\r')\$//" "$LEAD_KEY_FILE")
case $api_key in
    '' | *[!!-~]*) die 'LEAD_KEY_FILE: not one line of visible ASCII; put one API key, and nothing else, into it' ;;
esac

key=${1-$(cat /proc/sys/kernel/random/uuid)} # one for this lead, the same in every try
case $key in
    '' | *[!!-~]*) die 'IDEMPOTENCY_KEY: not one word of visible ASCII; leave it out to send a new lead' ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sed "1s/^$bom//" >"$work/lead"

started=$(date +%s)
try=1
while :; do
    : >"$work/headers"
    : >"$work/answer"
    failure=0
    status=$(post 2>"$work/why") || failure=$?
    case $failure:$status in
        0:202)
            intake_id=$(sed -n 's/.*"intake_id": *"\([^"]*\)".*/\1/p' "$work/answer")
            [ "$intake_id" ] || die "HTTP 202 without an intake_id, so it is not from the intake; correct LEAD_URL and" \
                "send the same lead again, with the same key: $key"
            printf '%s\n' "$intake_id"
            exit 0
            ;;
        0:429 | 0:5??) why="HTTP $status $(cat "$work/answer")" ;;
        0:409) # still being written; without Retry-After, the key belongs to another lead
            why="HTTP $status $(cat "$work/answer")"
            grep -qi '^retry-after:' "$work/headers" || die "$why"
            ;;
        0:*) die "HTTP $status $(cat "$work/answer")" ;;
        # No address, no connection, no response in time, or one cut off: a later try may succeed.
        6:* | 7:* | 16:* | 18:* | 28:* | 35:* | 52:* | 55:* | 56:* | 92:*) why=$(cat "$work/why") ;;
        *) die "$(cat "$work/why")" ;;
    esac
    pause=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([1-9][0-9]\{0,3\}\)[^0-9]*$/\1/p' "$work/headers")
    pause=${pause:-$((1 << try))}
    if [ "$try" -eq "$TRIES" ] || [ $(($(date +%s) - started + pause + TRY_SECONDS)) -gt "$TOTAL_SECONDS" ]; then
        die "$why; send the same lead again later, with the same key: $key"
    fi
    printf 'send-lead: %s; again in %s s\n' "$why" "$pause" >&2
    sleep "$pause"
    try=$((try + 1))
done

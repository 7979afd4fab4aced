# Each process of the API reads the file by itself, so there are more requests than processes.
set -eu
url=http://{{ address }}/lead/intake/00000000-0000-7000-8000-000000000000
# Well-formed, so that it is looked up like a revoked one; a malformed one is refused earlier.
nobody=mcl_nobody00_0000000000000000000000000000000000000000000_sjAB14
status() { # the status for the Authorization header from standard input
    curl --config - --silent --max-time 5 --output /dev/null --write-out '%{http_code}' $url
}
# A process checks the file once a second. From the next second on, whichever answers has read this one.
changed=$(stat --format %Z {{ file }})
[ $(($(date +%s) - changed)) -ge 2 ] || { echo "{{ file }} is so new that a process may not have read it"; exit 1; }
curl --silent --fail --max-time 5 http://{{ address }}/lead/health | grep -q '"api_keys": *"ok"'
for _ in 1 2 3 4 5 6; do
    known=$({
        printf 'header = "Authorization: Bearer '
        podman secret inspect --showsecret --format '{% raw %}{{.SecretData}}{% endraw %}' motorcade-leadgen-probe-key | tr -d '\n'
        printf '"\n'
    } | status)
    unknown=$(printf 'header = "Authorization: Bearer %s"\n' $nobody | status)
    [ "$known $unknown" = '404 401' ] || { echo "the probe's key: $known, an unknown one: $unknown"; exit 1; }
done

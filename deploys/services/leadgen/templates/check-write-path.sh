# An intake makes one row, and the same Idempotency-Key makes no second one.
set -eu
{% include "leadgen/synthetic.sh" %}
post_accepted
first=$id
post_accepted
[ "$id" = "$first" ] || fail "the same key was answered with $first and $id"
rows=$(sql "SELECT count(*) FROM app.intake_jobs WHERE client_id = '{{ client }}' AND idempotency_key = '$key'")
[ "$rows" = 1 ] || fail "$rows rows for one key"

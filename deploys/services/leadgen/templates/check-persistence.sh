# One lead is accepted, becomes exactly one row, the newest of all, and its jsonb equals what was sent.
set -eu
{% include "leadgen/synthetic.sh" %}
newest=$(sql "SELECT coalesce(max(created_at), '-infinity') FROM app.leads")
post_accepted
becomes_lead 30
moved=$(sql "SELECT max(created_at) > '$newest' FROM app.leads")
[ "$moved" = t ] || fail 'the newest time in app.leads did not move'
equal=$(sql "SELECT payload = \$sent\$$lead\$sent\$::jsonb FROM app.leads WHERE intake_id = '$id'")
[ "$equal" = t ] || fail 'the payload is not what was sent'

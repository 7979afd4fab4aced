# A lead is accepted while nothing drains; then the worker alone drains it, and without Redis the sweeper does.
set -eu
{% include "leadgen/synthetic.sh" %}
restore() {
    systemctl start motorcade-redis.service motorcade-leadgen-worker.service motorcade-leadgen-sweeper.service
}
systemctl stop motorcade-leadgen-worker.service motorcade-leadgen-sweeper.service
post_accepted
sleep 3
! is_lead || fail 'it became a lead although worker and sweeper are stopped'
systemctl start motorcade-leadgen-worker.service
becomes_lead 60
systemctl stop motorcade-redis.service
earlier_key=$key key=$key-2
post_accepted
systemctl start motorcade-leadgen-sweeper.service
becomes_lead 30

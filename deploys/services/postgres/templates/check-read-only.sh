# The read-only role connects over the network, reads, and is refused a write.
set -eu
as_ro() {
    podman run --rm --network motorcade-core --read-only --cap-drop all --tmpfs /tmp:mode=1777 --log-driver none --timeout 30 \
        --secret motorcade-postgres-ro,uid={{ user }},mode=0400 --entrypoint postgres-as {{ image }} ro \
        --set=VERBOSITY=sqlstate "$@"
}
[ "$(as_ro --command='SELECT count(*) > 0 FROM pg_catalog.pg_namespace')" = t ]
if answer=$(as_ro --command='BEGIN; CREATE TABLE app.probe (id int); ROLLBACK' 2>&1); then
    echo 'the read-only role could write'
    exit 1
fi
case $answer in *42501*) ;; *) echo "$answer"; exit 1 ;; esac

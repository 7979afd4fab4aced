# Each role can do its work and is refused the rest, over the network with its own password, from a throw-away
# container. The image of PostgreSQL is the client.
set -eu
client() {
    podman run --rm --interactive --network motorcade-core --read-only --cap-drop all --tmpfs /tmp:mode=1777 \
        --log-driver none --timeout 30 "$@"
}
as() {
    role=$1
    shift
    client --secret "motorcade-postgres-$role,uid={{ user }},mode=0400" --entrypoint postgres-as {{ image }} "$role" "$@"
}
refused() { # role, SQL: succeeds when the server says insufficient_privilege; what is allowed is rolled back
    if answer=$(as "$1" --set=VERBOSITY=sqlstate --command="BEGIN; $2; ROLLBACK" 2>&1); then
        echo "motorcade_$1 was allowed: $2"
        exit 1
    fi
    case $answer in *42501*) ;; *) echo "motorcade_$1: $2: $answer"; exit 1 ;; esac
}
as owner --command='BEGIN; CREATE TABLE app.probe (id int); INSERT INTO app.probe VALUES (1); ROLLBACK'
refused owner 'CREATE ROLE probe'
as api --command='SELECT 1' >/dev/null
refused api 'CREATE TABLE app.probe (id int)'
refused api 'SELECT rolpassword FROM pg_authid'
as app --command='SELECT 1' >/dev/null
refused app 'CREATE TABLE app.probe (id int)'
refused app 'SELECT rolpassword FROM pg_authid'
as ro --command='SELECT 1' >/dev/null
refused ro 'CREATE TABLE app.probe (id int)'
refused ro 'CREATE TABLE public.probe (id int)'
for role in postgres motorcade_api motorcade_app; do
    if client --entrypoint psql {{ image }} --no-password --host=motorcade-postgres --username=$role \
        --dbname=motorcade --command='SELECT 1' >/dev/null 2>&1; then
        echo "$role connected without a password"
        exit 1
    fi
done

# Puts the roles and the database back from a dump, which comes decrypted through standard input and is never on the disk.
# The current database is renamed, not dropped, and renamed back if anything fails. Clients are disconnected; services
# reconnect by themselves.
set -eu
aside=motorcade_until_$(date -u +%Y%m%d_%H%M%S)
superuser() {
    podman exec --interactive motorcade-postgres "$@"
}
say() {
    superuser psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname=postgres >/dev/null
}
back() {
    echo "restore failed; $aside becomes motorcade again"
    say <<SQL
DROP DATABASE IF EXISTS motorcade WITH (FORCE);
ALTER DATABASE $aside RENAME TO motorcade;
ALTER DATABASE motorcade ALLOW_CONNECTIONS true;
SQL
}

line='' roles=''
IFS= read -r line || true
[ "$line" = '-- motorcade: roles' ] || {
    echo 'standard input is not a decrypted dump; decrypt it with age, and pipe it in; nothing was changed'
    exit 1
}
# `read` takes no byte too many: what follows the mark is for pg_restore.
while IFS= read -r line && [ "$line" != '-- motorcade: database' ]; do
    roles="$roles$line
"
done
[ "$line" = '-- motorcade: database' ] || { echo 'the dump ends early; nothing was changed'; exit 1; }

say <<SQL
ALTER DATABASE motorcade ALLOW_CONNECTIONS false;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'motorcade';
SELECT pg_sleep(0.5);
ALTER DATABASE motorcade RENAME TO $aside;
SQL
trap back EXIT
trap 'exit 143' TERM INT HUP
superuser pg_restore --create --exit-on-error --dbname=postgres
# The roles exist already, so each CREATE ROLE fails; the statements after it restore their rights.
printf %s "$roles" | superuser psql --no-psqlrc --quiet --dbname=postgres 2>&1 >/dev/null | grep -v 'already exists' || true
trap - EXIT
printf 'ALTER DATABASE %s ALLOW_CONNECTIONS true;\n' "$aside" | say
echo "restored; the previous database is now $aside; run deploys/plat_03.py, which gives the roles their passwords of today"

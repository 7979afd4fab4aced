# Puts the roles and the database back as this folder holds them. The current database is renamed, not dropped, and
# renamed back if anything fails. Clients are disconnected; services reconnect by themselves.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
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

say <<SQL
ALTER DATABASE motorcade ALLOW_CONNECTIONS false;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'motorcade';
SELECT pg_sleep(0.5);
ALTER DATABASE motorcade RENAME TO $aside;
SQL
trap back EXIT
trap 'exit 143' TERM INT HUP
superuser pg_restore --create --exit-on-error --dbname=postgres <"$folder/motorcade.dump"
# The roles exist already, so each CREATE ROLE fails; the statements after it restore their rights.
superuser psql --no-psqlrc --quiet --dbname=postgres <"$folder/globals.sql" 2>&1 >/dev/null | grep -v 'already exists' || true
trap - EXIT
printf 'ALTER DATABASE %s ALLOW_CONNECTIONS true;\n' "$aside" | say
echo "restored from $folder; the previous database is now $aside; drop it when you no longer need it"

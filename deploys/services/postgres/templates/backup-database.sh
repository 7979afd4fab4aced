# Dumps the roles and the database, restores the dump into a scratch container and counts its rows there.
# sh -s DIRECTORY IMAGE; nothing is left in DIRECTORY unless the counts are equal.
set -eu
umask 077
directory=$1
image=$2
scratch=motorcade-scratch-$$
volume=$directory.scratch
finish() {
    podman rm --force --time 0 --ignore "$scratch" >/dev/null 2>&1 || true
    rm -rf "$volume" "$directory.new"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP  # dash runs no EXIT trap when a signal ends it
rm -rf "$directory.new" "$volume"
mkdir -p "$directory.new" "$volume"
touch "$volume/begin"
chown 10001:10001 "$volume"

podman exec motorcade-postgres pg_dumpall --globals-only >"$directory.new/globals.sql"
podman exec motorcade-postgres pg_dump --format=custom --dbname=motorcade >"$directory.new/motorcade.dump"

podman run --detach --name "$scratch" --network none --read-only --cap-drop all --log-driver none \
    --tmpfs /run/postgresql:mode=1777 --tmpfs /tmp:mode=1777 --volume "$volume:/var/lib/postgresql:Z" \
    --volume /etc/motorcade/postgres:/etc/motorcade/postgres:ro "$image" >/dev/null
tries=0
until podman exec "$scratch" psql --dbname=postgres --command='SELECT 1' >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] || { echo 'the scratch database did not start within 60 seconds'; exit 1; }
    sleep 0.5
done
# The superuser of the scratch database exists already; that one line may fail.
podman exec --interactive "$scratch" psql --quiet --dbname=postgres <"$directory.new/globals.sql" >/dev/null 2>&1
podman exec "$scratch" createdb motorcade
podman exec --interactive "$scratch" pg_restore --exit-on-error --dbname=motorcade <"$directory.new/motorcade.dump"

# Rows per table: in the dump, and in the scratch database.
podman exec --interactive "$scratch" pg_restore --data-only --file=- <"$directory.new/motorcade.dump" |
    awk '!copying && /^COPY / { table = $2; rows[table] = 0; copying = 1; next }
         /^\\\.$/ { copying = 0 }
         copying { rows[table]++ }
         END { for (table in rows) print table, rows[table] }' | sort >"$directory.new/counts"
while read -r table rows; do
    found=$(podman exec "$scratch" psql --tuples-only --no-align --dbname=motorcade --command="SELECT count(*) FROM $table" </dev/null)
    [ "$found" = "$rows" ] || { echo "$table: $rows rows in the dump, $found restored"; exit 1; }
done <"$directory.new/counts"
sync "$directory.new"/*
mv -T "$directory.new" "$directory"
echo "backup: $(wc -l <"$directory/counts") tables restored into a scratch container and counted"

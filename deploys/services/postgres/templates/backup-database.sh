# Dumps the roles and the database, encrypted on the way to the disk, and restores the same stream into a scratch container,
# where its rows are counted.
# sh -s DIRECTORY IMAGE RECIPIENT...; nothing is left in DIRECTORY unless the counts are equal.
set -eu
umask 077
directory=$1
image=$2
shift 2
[ $# -gt 0 ] || { echo 'a dump needs a recipient who can decrypt it'; exit 1; }
scratch=motorcade-scratch-$$
volume=$directory.scratch
pipes=$(mktemp -d)
finish() {
    podman rm --force --time 0 --ignore "$scratch" >/dev/null 2>&1 || true
    rm -rf "$volume" "$directory.new" "$pipes"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP  # dash runs no EXIT trap when a signal ends it
rm -rf "$directory.new" "$volume"
mkdir -p "$directory.new" "$volume"
touch "$volume/begin"
chown 10001:10001 "$volume"

encrypt() { # for every recipient of the rest of its arguments
    for recipient in "$@"; do set -- "$@" --recipient "$recipient"; shift; done
    podman run --rm --interactive --pull never --network none --read-only --cap-drop all --log-driver none \
        --entrypoint age "$image" --encrypt "$@"
}

roles=$(podman exec motorcade-postgres pg_dumpall --globals-only)

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
printf '%s\n' "$roles" | podman exec --interactive "$scratch" psql --quiet --dbname=postgres >/dev/null 2>&1
podman exec "$scratch" createdb motorcade

# One dump, three readers: what is kept is what was restored and counted, and only its encrypted form is on the disk.
mkfifo "$pipes/dumped" "$pipes/kept" "$pipes/restored" "$pipes/counted"
{ printf '%s\n' '-- motorcade: roles' "$roles" '-- motorcade: database'; cat "$pipes/kept"; } |
    encrypt "$@" >"$directory.new/motorcade.age" &
keeper=$!
podman exec --interactive "$scratch" pg_restore --exit-on-error --dbname=motorcade <"$pipes/restored" &
restorer=$!
# Rows per table in the dump; nothing unless it is complete.
podman exec --interactive "$scratch" pg_restore --data-only --file=- <"$pipes/counted" |
    awk '!copying && /^COPY / { table = $2; rows[table] = 0; copying = 1; next }
         /^\\\.$/ { copying = 0 }
         copying { rows[table]++ }
         !copying && /^-- PostgreSQL database dump complete/ { complete = 1 }
         END { if (!complete) exit 1; for (table in rows) print table, rows[table] }' >"$directory.new/counts" &
counter=$!
podman exec motorcade-postgres pg_dump --format=custom --dbname=motorcade >"$pipes/dumped" &
dumper=$!
# A reader may leave before the last bytes, which it does not need.
tee --output-error=warn-nopipe "$pipes/kept" "$pipes/restored" <"$pipes/dumped" >"$pipes/counted"
wait $dumper || { echo 'pg_dump failed'; exit 1; }
wait $keeper || { echo 'age could not encrypt the dump'; exit 1; }
wait $restorer || { echo 'the dump could not be restored into a scratch container'; exit 1; }
wait $counter || { echo 'the dump is not complete'; exit 1; }
[ "$(head -n 1 "$directory.new/motorcade.age")" = age-encryption.org/v1 ] || { echo 'the dump is not encrypted'; exit 1; }

while read -r table rows; do
    found=$(podman exec "$scratch" psql --tuples-only --no-align --dbname=motorcade --command="SELECT count(*) FROM $table" </dev/null)
    [ "$found" = "$rows" ] || { echo "$table: $rows rows in the dump, $found restored"; exit 1; }
done <"$directory.new/counts"
sync "$directory.new"/*
mv -T "$directory.new" "$directory"
echo "backup: $(wc -l <"$directory/counts") tables restored into a scratch container and counted"

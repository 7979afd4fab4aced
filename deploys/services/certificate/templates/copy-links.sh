# {{ page }}: copies of the pair in use take the place of the links to it. Both show the same pair before and after.
set -eu
pairs={{ pairs }}
for file in '{{ edge_certificate }}' '{{ edge_key }}'; do
    case $(readlink "$file") in "$pairs"/*) ;; *) continue ;; esac
    install -m "$(stat -L -c %a "$file")" "$file" "$file.motorcade-new"
    sync "$file.motorcade-new"
    mv -fT "$file.motorcade-new" "$file"
    sync "$(dirname "$file")"
done

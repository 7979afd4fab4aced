# {{ page }} owns this file: the edge's rules in the kernel. `load` puts them there, `check` says whether they are still as
# loaded; deploys/block.py calls `block ADDRESS SECONDS WHO WHY`, `lift ADDRESS WHO WHY` and `list`.
set -eu
export LC_ALL=C
rules={{ rules }}
loaded=/run/motorcade-nginx-limits/loaded
# A line a block: address, when it ends in seconds since 1970, who blocked it, why. The kernel's sets follow from it.
blocks={{ blocks }}

# The file, and how the kernel shows its rules, without what passes: counts and addresses.
state() {
    sha256sum "$rules" && nft --stateless --terse list table inet motorcade_edge
}

# Blocks that have not ended, without that of the address $1.
current() {
    [ ! -f "$blocks" ] || awk -v now="$(date +%s)" -v but="${1-}" '$2 > now && $1 != but' "$blocks"
}

elements() {
    current | while read -r address end _; do
        case $address in *:*) set=blocked6 ;; *) set=blocked4 ;; esac
        echo "add element inet motorcade_edge $set { $address timeout $((end - $(date +%s) + 1))s }"
    done
}

# Makes standard input the list of blocks, and puts it into the kernel in one step.
keep() {
    cat >"$blocks.new"
    sync "$blocks.new"
    mv -fT "$blocks.new" "$blocks"
    {
        printf 'flush set inet motorcade_edge %s\n' blocked4 blocked6
        elements
    } | nft --file -
}

alone() {
    nft list table inet motorcade_edge >/dev/null 2>&1 || { echo 'the table is not there'; exit 1; }
    exec 9>"$blocks.lock"
    flock 9
}

case $1 in
    load)
        { cat "$rules" && elements; } | nft --file -
        state >"$loaded"
        ;;
    check)
        systemctl is-active --quiet motorcade-nginx-limits.service || { echo 'the unit is not active'; exit 1; }
        found=$(state 2>&1) || { echo 'the table is not there'; exit 1; }
        [ "$found" = "$(cat "$loaded")" ] || { echo '{{ changed }}'; exit 1; }
        ;;
    block)
        alone
        end=$(($(date +%s) + $3))
        { current "$2" && printf '%s %s %s %s\n' "$2" "$end" "$4" "$5"; } | keep
        logger --tag motorcade-block "$4 blocks $2 for $3 seconds: $5"
        ;;
    lift)
        alone
        if current | grep -q "^$2 "; then
            current "$2" | keep
            logger --tag motorcade-block "$3 lifts the block of $2: $4"
            echo "$2 is no longer blocked"
        else
            echo "$2 was not blocked"
        fi
        ;;
    list)
        current
        ;;
esac

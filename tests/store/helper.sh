#!/bin/sh
# A helper that keeps each item in a file of $ITEMS, and first does what $ITEMS/fault says.
# As many helpers do, it removes an item before it writes it, and writes it piece by piece.
[ -e "$ITEMS/fault" ] && . "$ITEMS/fault"

file() {
    printf '%s/%s.json' "$ITEMS" "$(printf %s "$1" | tr / +)"
}

case $1 in
get)
    file=$(file "$(cat)")
    cat "$file" 2>/dev/null && exit
    echo "credentials not found in native keychain"
    exit 1
    ;;
store)
    read -r json
    url=${json#*\"ServerURL\":\"}
    file=$(file "${url%%\"*}")
    rm -f "$file"
    half=$((${#json} / 2))
    printf "%.${half}s" "$json" >"$file"
    [ "$DIES_IN_STORE" ] && exit 1
    printf '%s\n' "$json" >"$file"
    ;;
erase)
    rm "$(file "$(cat)")" 2>/dev/null && exit
    echo "nothing there"
    exit 1
    ;;
list)
    printf '{"https://registry.example/v1/":"somebody"'
    for file in "$ITEMS"/*.json; do
        [ -e "$file" ] && printf ',"%s":"oauthctl"' "$(basename "$file" .json | tr + /)"
    done
    echo '}'
    ;;
esac

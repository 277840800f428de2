# Shared by ./dev and scripts/*: talking to the person, becoming root, places. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache_home=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}

say() { printf 'dev: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Runs a command as root: directly, or through sudo, which may ask for a password on the terminal.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: $*"
    fi
}

# A folder that we may write to for things that are costly to make again: the first of the user's cache and /tmp that works.
cache_folder() { # NAME
    local folder
    for folder in "$cache_home/gantry" "/tmp/gantry-cache-$(id -u)"; do
        if mkdir -p "$folder/$1" 2>/dev/null && [ -w "$folder/$1" ]; then
            printf '%s\n' "$folder/$1"
            return
        fi
    done
    die "neither $cache_home nor /tmp can be written to"
}

# Runs a command up to three times, for what depends on the network.
with_retries() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return
        say "attempt $attempt of 3 failed: $*"
    done
    return 1
}

# How many compilers fit: one per processor, and 1.5 GB of memory for each.
build_jobs() {
    local processors kilobytes by_memory
    processors=$(nproc)
    kilobytes=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    by_memory=$((kilobytes / 1500000))
    [ "$by_memory" -ge 1 ] || by_memory=1
    printf '%s\n' $((by_memory < processors ? by_memory : processors))
}

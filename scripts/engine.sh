# Finds a Docker engine, or runs a private one. Sourced after common.sh and packages.sh.
#
# The private engine has its own data folder, exec root, socket and pid file. Whoever uses it holds a shared lock on
# $engine_run/users; the last one to let go stops it, unless `./dev engine start` said to keep it. Who is killed lets go as well:
# a watcher waits for the lock.

engine_run=/tmp/gantry-dev-engine-$(id -u)
engine_socket=$engine_run/docker.sock

# ---- asking an engine

# Calls the engine at $DOCKER_HOST: engine_curl PATH [curl arguments].
engine_curl() {
    local path=$1 endpoint=${DOCKER_HOST:-unix:///var/run/docker.sock}
    shift
    case $endpoint in
        unix://*) curl --silent --show-error --unix-socket "${endpoint#unix://}" "$@" "http://engine$path" ;;
        tcp://* | http://* | https://*) tcp_curl "${endpoint#*://}" "$path" "$@" ;;
        *) return 1 ;;
    esac
}

tcp_curl() { # AUTHORITY PATH [curl arguments]
    local authority=$1 path=$2 certificates=${DOCKER_CERT_PATH:-${HOME:-/root}/.docker}
    shift 2
    if [ -n "${DOCKER_TLS_VERIFY:-}" ]; then
        curl --silent --show-error --cacert "$certificates/ca.pem" --cert "$certificates/cert.pem" \
            --key "$certificates/key.pem" "$@" "https://$authority$path"
    else
        curl --silent --show-error "$@" "http://$authority$path"
    fi
}

engine_answers() { # ENDPOINT
    [ "$(DOCKER_HOST=$1 engine_curl /_ping --max-time 5 2>/dev/null)" = OK ]
}

# The endpoint of Docker's current context; nothing for the default one.
context_endpoint() {
    local config=${DOCKER_CONFIG:-${HOME:-/root}/.docker} name id
    name=${DOCKER_CONTEXT:-$(sed -n 's/.*"currentContext"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' \
        "$config/config.json" 2>/dev/null | head -n 1)}
    [ -n "$name" ] && [ "$name" != default ] || return 0
    id=$(printf %s "$name" | sha256sum | cut -d ' ' -f 1)
    tr -d '\n' <"$config/contexts/meta/$id/meta.json" 2>/dev/null |
        sed -n 's/.*"docker"[[:space:]]*:[[:space:]]*{[^}]*"Host"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p'
}

# Prints the endpoint that answers first, in the order in which gantry itself looks; the private one comes last.
find_engine() {
    local endpoint
    if [ "${GANTRY_DEV_ENGINE:-}" != private ]; then
        for endpoint in "${DOCKER_HOST:-}" "$(context_endpoint)" unix:///var/run/docker.sock \
            ${XDG_RUNTIME_DIR:+"unix://$XDG_RUNTIME_DIR/docker.sock"} "unix://${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/podman/podman.sock" unix:///run/podman/podman.sock; do
            if [ -n "$endpoint" ] && engine_answers "$endpoint"; then
                printf '%s\n' "$endpoint"
                return
            fi
        done
    fi
    engine_answers "unix://$engine_socket" && printf '%s\n' "unix://$engine_socket"
}

# ---- using one

# Exports DOCKER_HOST; starts the private engine when no other answers, and lets go of it when this script ends.
use_engine() {
    local endpoint
    need_packages curl
    endpoint=$(find_engine) || endpoint=
    if [ -z "$endpoint" ]; then
        [ -z "${DOCKER_HOST:-}" ] || say "DOCKER_HOST=$DOCKER_HOST does not answer"
        need_packages engine # may start the distribution's service
        endpoint=$(find_engine) || endpoint=
    fi
    if [ -z "$endpoint" ] || [ "$endpoint" = "unix://$engine_socket" ]; then
        hold_private_engine
        endpoint=unix://$engine_socket
    fi
    # The default socket is left unnamed, so that what runs here sees what it would see anywhere.
    [ "$endpoint" = unix:///var/run/docker.sock ] && [ -z "${DOCKER_HOST:-}" ] || export DOCKER_HOST=$endpoint
}

hold_private_engine() {
    private_run_folder
    exec {engine_users}>"$engine_run/users"
    flock --shared "$engine_users"
    trap release_private_engine EXIT
    exec {starting}>"$engine_run/starting"
    flock "$starting"
    engine_answers "unix://$engine_socket" || { start_private_engine && watch_users; }
    exec {starting}>&-
}

# Nobody can take the engine into use while it stops: the watcher holds the lock that they wait for.
watch_users() {
    # shellcheck disable=SC2016
    setsid --fork bash -c 'exec 5>"$1/users" && flock --exclusive 5 && { [ -e "$1/keep" ] || exec "$2/dev" engine stop; }' \
        watch "$engine_run" "$root" </dev/null >/dev/null 2>&1 {engine_users}>&- {starting}>&-
}

release_private_engine() {
    [ ! -e "$engine_run/keep" ] || return 0
    flock --exclusive --nonblock "$engine_users" || return 0 # somebody else still uses it
    stop_private_engine
}

# The folder is in /tmp because a socket's path has at most 107 bytes; nobody else may have prepared it.
private_run_folder() {
    mkdir -m 700 "$engine_run" 2>/dev/null || true
    [ -d "$engine_run" ] && [ ! -L "$engine_run" ] && [ -O "$engine_run" ] || die "$engine_run belongs to somebody else"
}

# ---- the private engine

start_private_engine() {
    local data bridge
    data=$(cache_folder dev-engine)
    say "no Docker engine answers: starting a private one (data in $data)"
    mount_control_groups
    # Its own bridge, always: without one (--bridge=none) dockerd would delete docker0, which may be another daemon's.
    if bridge=$(make_bridge) && start_daemon "$data" --bridge "$bridge"; then
        :
    elif start_daemon "$data" --bridge=none --iptables=false --ip6tables=false --ip-forward=false; then
        say "no rights on this machine's network: containers have none either"
    else
        tail -n 20 "$engine_run/log" >&2
        die "the private engine did not start; its log is $engine_run/log"
    fi
    [ "$(id -u)" = 0 ] || as_root chown "$(id -u)" "$engine_socket"
}

# The bridge of the private engine, at an address that nothing here is routed to.
make_bridge() {
    local name net
    name=gantry$(id -u)
    if [ ! -e "/sys/class/net/$name" ]; then
        for net in 10.213.57 172.29.213 192.168.213; do
            ip -4 route show table all 2>/dev/null | grep -q "\b$net\." || break
        done
        as_root ip link add "$name" type bridge 2>/dev/null && as_root ip addr add "$net.1/24" dev "$name" || return 1
    fi
    as_root ip link set "$name" up && printf '%s\n' "$name"
}

# dockerd leaves its bridge and the rules for it.
remove_bridge() {
    local name table rule
    name=gantry$(id -u)
    [ -e "/sys/class/net/$name" ] || return 0
    as_root ip link delete "$name" || true
    for table in nat filter; do
        as_root iptables -t $table -S 2>/dev/null | grep "^-A.* $name " | while read -r _ rule; do
            # shellcheck disable=SC2086
            as_root iptables -t $table -D $rule || true
        done
    done
}

# Starts dockerd and returns when it says that it listens; fails when it ends or 60 s pass.
# `alive` stays locked while anything of the daemon lives: whoever reads its output holds the lock until that ends.
start_daemon() { # DATA [dockerd flags]
    local data=$1 word=
    shift
    rm -f "$engine_run/ready"
    mkfifo "$engine_run/ready"
    # shellcheck disable=SC2016
    as_root setsid --fork bash -c '
        run=$1
        shift
        exec 3>"$run/ready" 4>"$run/alive"
        flock 4
        "$@" 2>&1 3>&- 4>&- | while IFS= read -r line; do
            printf "%s\n" "$line"
            case $line in *"API listen on"*) echo listening >&3 ;; esac
        done >"$run/log"' engine "$engine_run" dockerd --host "unix://$engine_socket" --group "$(id -gn)" \
        --data-root "$data/data" --exec-root "$engine_run/exec" --pidfile "$engine_run/pid" \
        --containerd-namespace gantry-dev --containerd-plugins-namespace gantry-dev-plugins \
        "$@" </dev/null >/dev/null 2>&1 {engine_users}>&- {starting}>&-
    read -r -t 60 word <"$engine_run/ready" || true
    rm -f "$engine_run/ready"
    [ "$word" = listening ] || {
        stop_private_engine
        return 1
    }
}

# Stops the private dockerd and the containerd that it started, and waits for their end; touches no other.
stop_private_engine() {
    local pid
    pid=$(cat "$engine_run/pid" 2>/dev/null) || pid=
    if [ -n "$pid" ] && grep -q "$engine_run" "/proc/$pid/cmdline" 2>/dev/null; then
        as_root bash -c 'kill "$@"' kill -TERM "$pid" || true
        if ! flock --wait 40 "$engine_run/alive" true; then
            say "the private engine does not end; killing it"
            # shellcheck disable=SC2046
            as_root bash -c 'kill "$@"' kill -KILL "$pid" $(cat "$engine_run/exec/containerd/containerd.pid" 2>/dev/null) || true
        fi
    fi
    awk -v under="$engine_run/" 'index($2, under) == 1 { print $2 }' /proc/mounts | while read -r mounted; do
        as_root umount -l "$mounted" || true
    done
    remove_bridge
    as_root rm -rf --one-file-system "$engine_run/exec" "$engine_run/pid" "$engine_socket"
}

# A machine without an init system may have no control groups mounted; containers need them.
mount_control_groups() {
    local controller
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] && [ ! -d /sys/fs/cgroup/memory ] || return 0
    say "mounting control groups at /sys/fs/cgroup"
    if as_root mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null; then
        grep -q memory /sys/fs/cgroup/cgroup.controllers && return
        as_root umount /sys/fs/cgroup
    fi
    as_root mount -t tmpfs -o mode=755 none /sys/fs/cgroup || return 0
    for controller in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
        as_root mkdir -p "/sys/fs/cgroup/$controller"
        as_root mount -t cgroup -o "$controller" none "/sys/fs/cgroup/$controller" || true
    done
}

# ---- ./dev engine

engine_start() {
    hold_private_engine
    touch "$engine_run/keep"
    say "listening: export DOCKER_HOST=unix://$engine_socket"
}

engine_stop() {
    private_run_folder
    rm -f "$engine_run/keep"
    stop_private_engine
    say "the private engine is stopped"
}

engine_status() {
    local endpoint
    need_packages curl
    endpoint=$(find_engine) || {
        say "no Docker engine answers"
        return 1
    }
    say "Docker engine at $endpoint"
}

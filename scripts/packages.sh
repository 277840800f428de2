# What each part of the work needs from the distribution: the one list, by codename. Sourced.

# Prints the packages of the groups that are asked for.
packages_of() { # CODENAME GROUP...
    local codename=$1 group boost clang
    shift
    case $codename in
        bookworm) boost=libboost1.81-dev clang=14 ;;
        trixie) boost=libboost-dev clang=19 ;;
        *) return 1 ;;
    esac
    for group in "$@"; do
        case $group in
            build)
                echo g++ cmake ninja-build pkg-config "$boost" libssl-dev libspdlog-dev libfmt-dev nlohmann-json3-dev \
                    libcli11-dev libyaml-dev libgit2-dev libre2-dev libarchive-dev libexpat1-dev
                ;;
            test) echo catch2 git lld openssl python3 python3-jsonschema python3-yaml ;;
            lint) [ "$codename" != bookworm ] || echo clang-format-14 clang-14 ;;
            engine) echo docker.io iptables iproute2 ca-certificates ;;
            registry) echo docker-registry apache2-utils ;;
            podman) echo podman runc netavark aardvark-dns catatonit ;;
            curl) echo curl ;;
            busybox) echo busybox-static ;;
            debian) echo mmdebstrap ;;
            bench) echo zstd libyaml-cpp-dev ;;
            clang) echo "clang-$clang" "llvm-$clang" "libclang-rt-$clang-dev" ;;
            tidy) echo "clang-tidy-$clang" ;;
            coverage) echo gcovr ;;
            package) echo dpkg-dev file ;;
            *) return 1 ;;
        esac
    done
}

distribution_codename() {
    # shellcheck disable=SC1091
    (. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:-unknown}")
}

installed= # yes: need_packages has installed something

# Installs what is missing of the groups; costs one dpkg-query when nothing is.
need_packages() { # GROUP...
    local codename names missing
    codename=$(distribution_codename)
    if ! names=$(packages_of "$codename" "$@"); then
        say "this is not Debian 12 or 13 ($codename): make sure that you have what scripts/packages.sh lists for: $*"
        return 0
    fi
    # shellcheck disable=SC2086
    missing=$(missing_packages $names)
    [ -n "$missing" ] || return 0
    mkdir -p "$root/build"
    say "installing from the distribution:" $missing
    # shellcheck disable=SC2086
    if ! with_retries install_packages $missing >"$root/build/.install.log" 2>&1; then
        tail -n 40 "$root/build/.install.log" >&2
        die "cannot install: $missing(all of it: build/.install.log)"
    fi
    installed=yes
}

# Fresh lists first: a mirror keeps only the newest version of a package.
install_packages() {
    local apt=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300)
    as_root "${apt[@]}" update </dev/null || echo "trying with the lists that are there"
    as_root "${apt[@]}" -o Dpkg::Use-Pty=0 install --no-install-recommends -y "$@" </dev/null && return
    # A half-configured package (a service that cannot be started here) is finished before the next attempt.
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a </dev/null
    return 1
}

missing_packages() {
    local name installed
    installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "$@" 2>/dev/null)"
    for name in "$@"; do
        case $installed in
            *" installed:$name "*) ;;
            # pkg-config is a name that pkgconf provides.
            *) [ "$name" = pkg-config ] && command -v pkg-config >/dev/null || printf '%s ' "$name" ;;
        esac
    done
}

#include "pipeline/container_values.hpp"

#include "pipeline/container_path.hpp"
#include "support/catch.hpp"

#include <initializer_list>

using namespace gantry::pipeline;

namespace {

using Words = std::initializer_list<std::string_view>;

void check_rule(const ValueRule& rule, Words good, Words bad)
{
    for (const auto text : good) {
        CAPTURE(text);
        CHECK(rule.fits(text));
    }
    for (const auto text : bad) {
        CAPTURE(text);
        CHECK_FALSE(rule.fits(text));
    }
}

} // namespace

TEST_CASE("the network of a container is a mode or a service's", "[container]")
{
    check_rule(k_network_mode_rule, {"none", "host", "bridge", "default", "service:db"}, {"container:abc", "foo", "None", "services:db", "service"});
}

TEST_CASE("volumes come from services, with their mode", "[container]")
{
    check_rule(k_volumes_from_rule, {"db", "db:ro", "db:rw"}, {"container:foo", "db:", ":ro", "db:x", "db:ro:rw"});
}

TEST_CASE("a user has at most one group", "[container]")
{
    check_rule(k_user_rule, {"root", "1000", "1000:1000", ":5", "a b", "2147483647", "1a"}, {"a:b:c", "::", "-1", "2147483648", "1000:99999999999"});
}

TEST_CASE("signals have names in any case, or numbers", "[container]")
{
    check_rule(k_signal_rule, {"SIGTERM", "TERM", "term", "sigusr1", "9", "64", "RTMIN+3", "SIGRTMAX-1", "SIGRTMIN", "SIGRTMIN+15", "STKFLT"},
               {"SIGFOO", "0", "65", "-9", "9x", "SIG", "RTMIN+16", "RTMIN+0", "RTMAX-15", "SIG9", "TERM "});
}

TEST_CASE("platforms are taken as containerd takes them", "[container]")
{
    check_rule(k_platform_rule,
               {"linux", "linux/amd64", "linux/arm/v7", "amd64", "ARM64", "Linux/x86_64", "windows(10.0.17763)/amd64", "macos", "armhf", "wasi/wasm"},
               {"x", "linux/", "/amd64", "linux/arm/v7/x", "linux/*", "linux amd64", "linux/am d64", "*", "some/thing", "linux/amd46", "linus/amd64"});
}

TEST_CASE("a sysctl is a namespace's", "[container]")
{
    check_rule(k_sysctl_rule,
               {"net.ipv4.ip_forward", "net/ipv4/ip_forward", "net.ipv4.conf.eth0/1.mtu", "net/ipv4/conf/eth0.1/mtu", "fs.mqueue.msg_max", "kernel.sem",
                "kernel/shm_rmid_forced", "kernel.msgmax", "kernel.domainname"},
               {"kernel.panic", "kernel/panic", "kernel.hostname", "vm.max_map_count", "net", "network.x", "fs.file-max", "kernel.semx", "kernel.shm", "."});
    CHECK(dotted_sysctl("net/ipv4/conf/eth0.1/mtu") == "net.ipv4.conf.eth0/1.mtu");
    CHECK(dotted_sysctl("net.ipv4.conf.eth0/1.mtu") == "net.ipv4.conf.eth0/1.mtu");
}

TEST_CASE("a tmpfs has a place, a size and a mode", "[container]")
{
    const auto tmpfs = parse_tmpfs("/run/:size=64m,mode=1777,noexec,ro");
    CHECK(tmpfs.problem == "");
    CHECK(tmpfs.target == "/run");
    CHECK(tmpfs.size_bytes == 64u << 20);
    CHECK(tmpfs.mode == 01777u);
    CHECK(tmpfs.read_only);
    CHECK(parse_tmpfs("rel").problem == "'rel' is not a path from the root");
    CHECK(parse_tmpfs("/workspace").problem == "/workspace is taken by gantry");
    CHECK(parse_tmpfs("/x:size=big").problem == "'big' is not a size");
    CHECK(parse_tmpfs("/x:mode=9").problem == "'9' is not a mode");
    CHECK(parse_tmpfs("/x:mode=17777").problem == "'17777' is not a mode");
}

TEST_CASE("a tmpfs has an owner, and what may be done in it", "[container]")
{
    using Options = std::vector<std::string>;
    const auto tmpfs = parse_tmpfs("/x:uid=1000,gid=007,mode=700,exec,ro");
    CHECK(tmpfs.problem == "");
    CHECK(tmpfs.options == Options{"uid=1000", "gid=7", "exec"});
    CHECK(tmpfs.mode == 0700u);
    CHECK(tmpfs.read_only);
    CHECK(parse_tmpfs("/x:rw,noexec,nosuid,nodev").options == Options{}); // as any is
    CHECK(parse_tmpfs("/x:dev,suid,noexec").options == Options{"dev", "suid", "noexec"});
    CHECK_FALSE(parse_tmpfs("/x:ro,rw").read_only);
    CHECK(parse_tmpfs("/x:uid=me").problem == "'me' is not the number of a user");
    CHECK(parse_tmpfs("/x:gid=").problem == "'' is not the number of a group");
}

TEST_CASE("an option that no tmpfs has is told with the nearest one", "[container]")
{
    CHECK(parse_tmpfs("/x:ro,exce").problem == "the option 'exce' cannot be set");
    CHECK(parse_tmpfs("/x:ro,exce").hint == "did you mean 'exec'?");
    CHECK(parse_tmpfs("/x:siez=64m").hint == "did you mean 'size'?");
    CHECK(parse_tmpfs("/x:nr_inodes=5").hint == "size=, mode=, uid=, gid= and ro, rw, exec, noexec, suid, nosuid, dev, nodev can");
}

TEST_CASE("paths in containers are told apart by their folders", "[container]")
{
    CHECK(normalised_path("/a/./b//../c/") == "/a/c");
    CHECK(normalised_path("/a/../..") == "");
    CHECK(is_in_folder("/a", "/a"));
    CHECK(is_in_folder("/a/b", "/a"));
    CHECK_FALSE(is_in_folder("/ab", "/a"));
}

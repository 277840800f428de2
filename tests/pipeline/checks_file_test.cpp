#include "pipeline/checks.hpp"

#include "pipeline/native_support.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

#include <algorithm>

using namespace gantry::pipeline;

// What is said of a file, from its text to the place of what is wrong in it.

namespace {

using Said = std::vector<std::string>;

// "line:column message | hint" of each problem, as `gantry check` finds them.
Said said_of(const std::string& text, Files files = {})
{
    files[".gantry.yml"] = text;
    const auto parsed = parse_files(files);
    const Capabilities engine{"docker", {"services", "caches", "volumes", "networks", "build"}, {"*"}};
    const auto read = [&](const std::string& path) -> std::optional<std::string> {
        if (path.starts_with("../"))
            throw gantry::Error(gantry::Errc::bad_input, path + " leads out of the repository");
        const auto found = files.find(path);
        return found == files.end() ? std::nullopt : std::optional(found->second);
    };
    Said said;
    for (const auto& problem : check(parsed, &engine, read))
        said.push_back(std::to_string(problem.mark.line) + ":" + std::to_string(problem.mark.column) + " " + problem.message +
                       (problem.hint.empty() ? "" : " | " + problem.hint));
    return said;
}

Said of_step(const std::string& keys) { return said_of("steps:\n- run: make\n  image: gcc\n  " + keys + "\n"); }

void check_one(const Said& said, std::string_view start)
{
    CAPTURE(start);
    REQUIRE(said.size() == 1);
    CHECK_THAT(said[0], Catch::Matchers::StartsWith(std::string(start)));
}

} // namespace

TEST_CASE("values of a container that no engine takes are refused where they stand", "[checks]")
{
    check_one(of_step("network_mode: container:abc"),
              "4:17 'container:abc' is not a network that it can share | one of: none, host, service:NAME");
    check_one(of_step("network_mode: foo"), "4:17 'foo' is not a network that it can share");
    check_one(of_step("volumes_from: [container:foo]"), "4:18 'container:foo' is not a service whose volumes it can take | write db or db:ro");
    check_one(of_step("tmpfs: [/ok, rel]"), "4:16 'rel' is not a path from the root");
    check_one(of_step("tmpfs: /x:exce"), "4:10 the option 'exce' cannot be set | did you mean 'exec'?");
    check_one(of_step("user: a:b:c"), "4:9 'a:b:c' is not a user | write user or user:group");
    check_one(of_step("stop_signal: SIGFOO"), "4:16 'SIGFOO' is not a signal");
    check_one(of_step("platform: x"), "4:13 'x' is not a platform | write os/arch");
    check_one(of_step("platform: linux/amd46"), "4:13 'linux/amd46' is not a platform | did you mean 'linux/amd64'?");
    check_one(of_step("platform: linx/arm/v7"), "4:13 'linx/arm/v7' is not a platform | did you mean 'linux/arm/v7'?");
    check_one(of_step("volumes: [\"/h:rel\"]"), "4:13 'rel' is not a path from the root");
    check_one(said_of("image: UPPER Case\nsteps: [make]\n"), "1:8 'UPPER Case' is not an image: its name must be lower case | write name, name:tag");
}

TEST_CASE("values of a container that engines take are taken", "[checks]")
{
    const std::string keys = GENERATE(as<std::string>{}, "network_mode: bridge",
                                      "platform: amd64", "stop_signal: 15", "user: ${{ env.A }}:b:c", "user: 1000:1000",
                                      "tmpfs: \"/run:size=1m,mode=700\"", "stop_signal: \"\"", "network_mode: \"\"", "hostname: a");
    CAPTURE(keys);
    CHECK(of_step(keys) == Said{});
    const std::string image = GENERATE(as<std::string>{}, "\" busybox \"",
                                       "UPPER.example/a:V", "a@sha256:" + std::string(64, 'a'), std::string(64, 'a'), "\"UPPER ${{ short_sha }}\"");
    CAPTURE(image);
    CHECK(said_of("image: " + image + "\nsteps: [make]\n") == Said{});
}

TEST_CASE("what is mounted has a place of its own", "[checks]")
{
    check_one(of_step("volumes: [/d, \"x:/d/.\"]\nvolumes: { x: {} }"), "4:17 another volume is mounted at /d, too | choose another path");
    check_one(of_step("volumes: [/d]\n  tmpfs: [/t, \"/d:size=1m\"]"), "5:3 another volume is mounted at /d, too");
    check_one(of_step("volumes: [\"./x:/x\"]"), "4:13 './x' is not a path from the root of the engine's host | steps have the repository at /workspace");
    check_one(of_step("volumes: [/]"), "4:13 nothing can be mounted over the root of a container");
    CHECK(of_step("volumes: [/d, /d/e, \"${{ short_sha }}\", \"${{ short_sha }}\"]\n  tmpfs: /d/f") == Said{});
}

TEST_CASE("what steps inherit of mounts is looked at where they have it, and told once", "[checks]")
{
    const std::string caches = "caches: [{ name: c, path: cache }, { name: d, path: /d }]\n";
    const std::string defaults = "defaults: { image: gcc, volumes: [/x, /d] }\n";
    check_one(said_of(defaults + caches + "steps: [a, b]\n"), "1:39 the cache 'd' is mounted at /d, too");
    check_one(said_of("image: gcc\n" + caches + "steps:\n- { run: a, volumes: [/workspace/cache/] }\n"),
              "4:23 the cache 'c' is mounted at /workspace/cache, too");
    // Another list replaces it; a build and a service have no caches.
    CHECK(said_of(defaults + caches + "steps: [{ run: a, volumes: [/e] }, { build: . }]\n" +
                  "services: { db: { image: x, volumes: [/d] } }\n") == Said{});
    // What all stages inherit is told once.
    check_one(said_of("defaults: { image: gcc, volumes: [/d, /e], tmpfs: [/e, /d] }\n"
                      "stages: [{ name: a, steps: [a, b] }, { name: b, steps: [a, { run: b, tmpfs: [] }] }]\n"),
              "1:44 another volume is mounted at /e, too");
    check_one(said_of("defaults: { image: gcc, volumes: [/d, /e, /d] }\nstages: [{ name: a, steps: [a, b] }, { name: b, volumes: [], steps: [a] },\n"
                      "  { name: c, steps: [{ run: b, tmpfs: [/x] }] }]\n"),
              "1:43 another volume is mounted at /d, too");
    CHECK(said_of("defaults: { image: gcc, volumes: [/d, /d] }\nstages: [{ name: b, volumes: [/d], steps: [a, { run: a, volumes: [] }] }]\n") == Said{});
    check_one(said_of("image: gcc\nsteps: [a]\nservices:\n  db:\n    image: x\n    volumes: [/d, /d]\n"), "6:19 another volume is mounted at /d, too");
}

TEST_CASE("who shares a network says nothing of it", "[checks]")
{
    const auto service = [](const std::string& keys) {
        return said_of("image: gcc\nsteps: [a]\nservices:\n  web: { image: x }\n  db:\n    image: x\n    network_mode: service:web\n    " + keys + "\n");
    };
    check_one(service("ports: [80]"), "8:5 'ports' and 'network_mode: service:web' cannot stand together | the network is that of web: say it there");
    check_one(service("hostname: x"), "8:5 'hostname' and");
    check_one(service("dns: 10.0.0.1"), "8:5 'dns' and");
    check_one(service("extra_hosts: [\"a:10.0.0.1\"]"), "8:5 'extra_hosts' and");
    CHECK(service("dns_search: a.example") == Said{});
    check_one(said_of("image: gcc\ndns: 10.0.0.1\nservices: { web: { image: x } }\nsteps:\n"
                      "- { run: a, network_mode: service:web }\n- { run: b, network_mode: none }\n- c\n"),
              "2:1 'dns' and 'network_mode: service:web' cannot stand together");
    CHECK(of_step("network_mode: host\n  hostname: x") == Said{});
}

TEST_CASE("what has no network of its own publishes nothing", "[checks]")
{
    check_one(of_step("network_mode: host\n  ports: [80]"),
              "5:3 'ports' and 'network_mode: host' cannot stand together | the host's ports are the container's: leave 'ports' out");
    check_one(of_step("network_mode: none\n  ports: [80]"),
              "5:3 'ports' and 'network_mode: none' cannot stand together | without a network there is nothing to publish");
    check_one(said_of("image: gcc\nnetwork_mode: none\nsteps: [{ run: a, ports: [80] }]\n"), "3:19 'ports' and 'network_mode: none'"); // inherited
    check_one(said_of("image: gcc\nsteps: [a]\nservices: { web: { image: x, network_mode: none, ports: [80] } }\n"), "3:50 'ports' and");
    check_one(said_of("image: gcc\nsteps: [a]\ncompose: c.yml\n", {{"c.yml", "services: { web: { image: x, network_mode: host, ports: ['80:80'] } }\n"}}),
              "1:50 'ports' and 'network_mode: host'");
    CHECK(of_step("network_mode: bridge\n  ports: [80]") == Said{});
    CHECK(said_of("image: gcc\nnetwork_mode: none\nsteps: [{ run: a, ports: [80], networks: [default] }]\n") == Said{});
}

TEST_CASE("what exists already is not told how to be made", "[checks]")
{
    const auto declared = [](const std::string& text) { return said_of("image: gcc\nsteps: [a]\n" + text + "\n"); };
    check_one(declared("volumes: { v: { external: true, name: x, driver: nfs } }"),
              "3:42 'driver' and 'external: true' cannot stand together | it exists already and stays as it is: take one of them out");
    for (const auto* keys : {"driver: local", "driver_opts: { a: b }", "labels: [a]", "scope: stage"}) {
        check_one(declared("volumes: { v: { external: true, " + std::string(keys) + " } }"), "3:33 '");
        check_one(declared("networks: { n: { external: true, " + std::string(keys) + " } }"), "3:34 '");
    }
    for (const auto* keys : {"internal: true", "attachable: false", "enable_ipv6: true", "ipam: { config: [{ subnet: 10.1.0.0/16 }] }"})
        check_one(declared("networks: { n: { external: true, " + std::string(keys) + " } }"), "3:34 '");
    check_one(declared("networks: { n: { external: true, drivr: x } }"), "3:34 unknown key 'drivr'");
    CHECK(declared("volumes: { v: { external: true, name: x, x-note: y }, w: { driver: local, external: false } }") == Said{});
}

TEST_CASE("what belongs to the pipeline is not called by the file", "[checks]")
{
    const auto declared = [](const std::string& text) { return said_of("image: gcc\nsteps: [a]\n" + text + "\n"); };
    check_one(declared("volumes: { v: { name: x } }"),
              "3:17 a volume that belongs to the pipeline has no 'name' | with external: true it names one that exists already");
    check_one(declared("networks: { n: { external: false, name: x } }"), "3:35 a network that belongs to the pipeline has no 'name'");
    check_one(declared("networks: { n: { external: maybe, name: x } }"), "3:28 'maybe' is not a boolean");
    check_one(declared("networks: { default: { name: x } }"), "3:24 'name' of the network 'default' is not supported");
}

TEST_CASE("labels of gantry's own are not set by a file", "[checks]")
{
    const char* own = "'gantry.run' is not a label that can be set: it is for gantry's own | choose another prefix";
    CHECK(of_step("labels: { a: b, gantry.run: x }") == Said{std::string("4:19 ") + own});
    CHECK(of_step("labels: [gantry.run=x]") == Said{std::string("4:12 ") + own});
    CHECK(said_of("steps: [{ build: { context: ., labels: { gantry.run: x } } }]\n") == Said{std::string("1:42 ") + own});
    CHECK(said_of("image: gcc\nsteps: [a]\ncompose: c.yml\n", {{"c.yml", "services: { web: { image: x, labels: { gantry.run: x } } }\n"}}) ==
          Said{std::string("1:40 ") + own});
    CHECK(of_step("labels: { gantry: x, org.gantry.run: y }") == Said{});
}

TEST_CASE("a device is two paths and what may be done", "[checks]")
{
    check_one(of_step("devices: [\"/dev/a:/dev/b:rwmz\"]"), "4:13 '/dev/a:/dev/b:rwmz' is not a device | write /dev/fuse or /dev/a:/dev/b:rwm");
    check_one(of_step("devices: [dev/a]"), "4:13 'dev/a' is not a device");
    check_one(of_step("devices: [\"/dev/a:/dev/b:r:w\"]"), "4:13 ");
    for (const auto* good : {"/dev/a", "/dev/a:rw", "/dev/a:/dev/b", "/dev/a:/dev/b:m"})
        CHECK(of_step("devices: [\"" + std::string(good) + "\"]") == Said{});
}

TEST_CASE("limits of CPU time are those that an engine takes", "[checks]")
{
    check_one(of_step("cpus: 0.005"), "4:9 0.005 is less of a CPU than a container can have | write 0.01 or more");
    check_one(of_step("resources: { cpus: 0.001 }"), "4:22 0.001 is less");
    check_one(of_step("cpu_shares: 1"), "4:15 1 is not a share of CPU time that there is | write 2 to 262144; 1024 is usual");
    check_one(of_step("cpu_shares: 262145"), "4:15 262145 is not");
    for (const auto* good : {"cpus: 0.01", "cpu_shares: 0", "cpu_shares: 2", "cpu_shares: 262144"})
        CHECK(of_step(good) == Said{});
}

TEST_CASE("the key of a cache is a line", "[checks]")
{
    const auto cache = [](const std::string& keys) { return said_of("image: gcc\nsteps: [a]\ncaches:\n- { name: c, path: /c, " + keys + " }\n"); };
    check_one(cache("key: \"a\\nb\""), "4:29 'a…' is not a key of a cache | it is one line of at most 512 bytes");
    check_one(cache("key: " + std::string(513, 'x')), "4:29 '");
    check_one(cache("key: k, fallback_keys: [a, \"\"]"), "4:51 this cannot be empty");
    check_one(cache("key: k, fallback_keys: [\"a\\eb\"]"), "4:48 '");
    CHECK(cache("key: \"${{ branch }}\", fallback_keys: main") == Said{});
}

TEST_CASE("a port that no network can publish is said to be without effect", "[checks]")
{
    const auto step = [](const std::string& networks) {
        return said_of("image: gcc\nnetworks: { inner: { internal: true }, outer: {} }\nsteps:\n- run: a\n  ports: [80]\n  networks: " + networks + "\n");
    };
    check_one(step("[inner]"), "5:3 no port is published: all networks of this container are internal | add a network that is not");
    CHECK(step("[inner, outer]") == Said{});
    CHECK(step("[inner, default]") == Said{});
}

TEST_CASE("a start_interval that nobody looks at is said to be without effect", "[checks]")
{
    const auto service = [](const std::string& keys) {
        return said_of("image: gcc\nsteps: [a]\nservices:\n  db:\n    image: x\n    " + keys + "\n");
    };
    const std::string check = "healthcheck: { test: up, interval: 5s, start_interval: 1s }";
    const auto times_told = [&](const std::string& keys) {
        const auto said = service(keys);
        return std::count_if(said.begin(), said.end(), [](const std::string& one) {
            return one.starts_with("6:5 with 'probe: declared' a start_interval has no effect");
        });
    };
    CHECK(times_told(check + "\n    probe: declared") == 1);
    CHECK(times_told(check) == 0);
    CHECK(times_told("healthcheck: { test: up }\n    probe: declared") == 0);
}

TEST_CASE("paths of a service are from the root", "[checks]")
{
    const auto service = [](const std::string& keys) {
        return said_of("image: gcc\nsteps: [a]\nservices:\n  db:\n    image: x\n    " + keys + "\n");
    };
    check_one(service("working_dir: app"), "6:5 'app' is not a path from the root | write the path in the service's image");
    check_one(service("files: [{ content: x, target: rel }]"), "6:35 'rel' is not a path below the root | write the path in the service");
    check_one(service("files: [{ source: x, target: / }]"), "6:34 '/' is not a path below the root");
    check_one(service("volumes: [\"~/x:/x\"]"), "6:15 '~/x' is not a path from the root of the engine's host");
    CHECK(service("working_dir: \"${{ short_sha }}\"") == Said{});
    CHECK(of_step("working_dir: app") == Said{});
    check_one(of_step("working_dir: /proc/self"), "4:3 /proc/self is the kernel's | start elsewhere, and go there in 'run'");
    check_one(of_step("working_dir: ../.."), "4:3 '../..' leads out of the container | write the path without '..'");
    CHECK(service("working_dir: /dev/shm") == Said{});
}

TEST_CASE("a matrix of literal values has rows, and not too many", "[checks]")
{
    CHECK(said_of("image: a\nmatrix: { a: [1], exclude: [{ a: 1 }] }\nsteps: [x]\n") ==
          Said{"2:1 the matrix has no rows | leave less out by 'exclude', or 'include' some"});
    const std::string axis = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]";
    check_one(said_of("image: a\nmatrix: { a: " + axis + ", b: " + axis + " }\nsteps: [x]\n"), "2:1 the matrix has 289 rows; 256 are the limit | ");
    CHECK(said_of("image: a\nmatrix: { a: [\"${{ branch }}\"], exclude: [{ a: 1 }] }\nsteps: [x]\n") == Said{});
}

TEST_CASE("exclude names axes of its matrix, include may add others", "[checks]")
{
    CHECK(said_of("image: a\nmatrix: { gcc: [1], exclude: [{ gc: 1 }] }\nsteps: [x]\n") == Said{"2:33 the matrix has no axis 'gc' | did you mean 'gcc'?"});
    CHECK(said_of("image: a\nmatrix: { exclude: [{ zz: 1 }], gcc: [1] }\nsteps: [x]\n") == Said{"2:23 the matrix has no axis 'zz' | its axes are: gcc"});
    CHECK(said_of("image: a\nmatrix: { gcc: [1, 2], include: [{ gcc: 3, more: 1 }], exclude: [{ gcc: 2 }] }\nsteps: [x]\n") == Said{});
}

TEST_CASE("what an expression writes out is computed at once", "[checks]")
{
    const auto of = [](const std::string& expression) { return said_of("image: a\nsteps:\n- run: echo ${{ " + expression + " }}\n"); };
    CHECK(of("format('{0} {5}', 1)") == Said{"3:17 format() uses {5} but has 1 value"});
    CHECK(of("format('{0} {5}', sha)") == Said{"3:17 format() uses {5} but has 1 value"});
    CHECK(of("sha == 'x' || 'a' > 1") == Said{"3:35 '>' cannot order text and a number"});
    CHECK(of("false && 'a' > 1") == Said{});
    CHECK(of("sha > 1") == Said{});
    check_one(said_of("image: a\nsteps:\n- run: make\n  if: 1 in 7\n"), "4:12 'in' needs a list");
}

TEST_CASE("files of variables are looked at, and told where they are named", "[checks]")
{
    const std::string text = "image: a\nsteps:\n- run: x\n  env_file: a.env\n";
    CHECK(said_of(text, {{"a.env", "A=1\n"}}) == Said{});
    check_one(said_of(text), "4:13 there is no file 'a.env' | paths start at the root of the repository; { path: …, required: false }");
    CHECK(said_of(text, {{"a.env", "A=1\nno variable\n"}}) == Said{"4:13 a.env:2 is not NAME=value"});
    check_one(said_of("env_file: ../../etc/passwd\nimage: a\nsteps: [x]\n"), "1:11 ../../etc/passwd leads out of the repository | ");
    CHECK(said_of("env_file: [{ path: gone.env, required: false }]\nimage: a\nsteps: [x]\n") == Said{});
    check_one(said_of("env_file: [{ path: gone.env, required: false }, gone.env]\nimage: a\nsteps: [x]\n"), "1:49 there is no file 'gone.env'");
    CHECK(said_of("image: a\nservices: { db: { image: b, env_file: [no.env] } }\nsteps: [x]\n").size() == 1);
}

TEST_CASE("a limit leaves some time", "[checks]")
{
    CHECK(of_step("timeout: 0s") == Said{"4:12 '0s' leaves no time at all | for no limit, leave it out; else write 90s, 10m or 1h30m"});
    check_one(of_step("idle_timeout: 0m"), "4:17 '0m' leaves no time at all");
    check_one(said_of("timeout: 0s\nimage: a\nsteps: [x]\n"), "1:10 '0s' leaves no time at all");
    check_one(said_of("stages: [{ name: a, timeout: 0h, image: a, steps: [x] }]\n"), "1:30 '0h' leaves no time at all");
    CHECK(of_step("stop_grace_period: 0s") == Said{});
}

TEST_CASE("secrets do not take the names that are gantry's own", "[checks]")
{
    CHECK(of_step("secrets: { TOKEN: tok, CI: tok }") == Said{"4:26 'CI' is set by gantry itself | give it a name of your own: secrets: { MY_CI: tok }"});
    check_one(of_step("secrets: [TOKEN, CI_OUTPUT]"), "4:20 'CI_OUTPUT' is set by gantry itself");
    CHECK(of_step("secrets: { CI_REGISTRY_PASSWORD: tok, CI_COMMIT_SHA: tok }") == Said{});
}

TEST_CASE("a step gives each variable one value", "[checks]")
{
    CHECK(of_step("env: { A: x }\n  secrets: { B: b, A: a }") ==
          Said{"5:20 'A' is a secret and a variable of this step | leave out one of them"});
    const auto plugin = [](const std::string& keys) { return said_of("steps:\n- image: plugin\n  " + keys + "\n"); };
    CHECK(plugin("settings: { a-b: 1, c: 2, a.b: 3 }") ==
          Said{"3:29 the settings 'a-b' and 'a.b' are both PLUGIN_A_B | leave out one of them"});
    CHECK(plugin("settings: { token: x }\n  env: { PLUGIN_TOKEN: y }") ==
          Said{"3:15 the setting 'token' is PLUGIN_TOKEN, which is a variable of this step, too | leave out one of them"});
    CHECK(plugin("settings: { token: x }\n  secrets: { PLUGIN_TOKEN: y }") ==
          Said{"3:15 the setting 'token' is PLUGIN_TOKEN, which is a secret of this step, too | leave out one of them"});
    // What is inherited is what a step goes over.
    CHECK(said_of("env: { A: x, PLUGIN_B: x }\nimage: a\nsteps: [{ run: x, secrets: [A] }, { settings: { b: y } }]\n") == Said{});
}

TEST_CASE("variables do not take the names that are gantry's own", "[checks]")
{
    CHECK(said_of("env: { CI_OUTPUT: /x, CI: \"false\", CI_COMMIT_SHA: x, GANTRY: true }\nimage: a\nsteps: [x]\n") ==
          Said{"1:19 'CI_OUTPUT' is set by gantry itself | steps get no other value; in a script: CI_OUTPUT=… command",
               "1:27 'CI' is set by gantry itself | steps get no other value; in a script: CI=… command"});
    check_one(of_step("env: [CI_WORKSPACE=/src]"), "4:9 'CI_WORKSPACE' is set by gantry itself");
    check_one(said_of("defaults: { env: { CI_ENV: x } }\nimage: a\nsteps: [x]\n"), "1:28 'CI_ENV'");
    check_one(said_of("stages:\n- name: a\n  image: a\n  environment:\n    CI: \"${{ tag }}\"\n  steps: [x]\n"), "5:");
    // A service has none of them.
    CHECK(said_of("image: a\nservices: { db: { image: b, environment: { CI: \"false\" } } }\nsteps: [x]\n") == Said{});
    CHECK(of_step("env: { CI: true }") == Said{});
}

TEST_CASE("a step that starts no container says nothing of one", "[checks]")
{
    const auto of = [](const std::string& keys) {
        return said_of("image: a\nuser: root\nshell: [bash, -c]\nenv: { X: y }\nsteps:\n- name: i\n  build: .\n  " + keys + "\n");
    };
    CHECK(of("timeout: 1m\n  retry: 1\n  allow_failure: true\n  if: always()") == Said{});
    CHECK(of("user: x") == Said{"8:3 'user' has no meaning in a step that builds an image | it is for steps that run something"});
    CHECK(of("labels: { a: b }") == Said{"8:3 'labels' has no meaning in a step that builds an image | write it under 'build'"});
    check_one(of("image: x"), "8:3 'image' has no meaning in a step that builds an image | the names of what is built are build: { tags");
    check_one(of("resources: { memory: 1g }"), "8:16 'mem_limit' has no meaning");
    for (const auto* key : {"working_dir: /x", "privileged: true", "volumes: [/x]", "pull_policy: always", "platform: linux/arm64"})
        check_one(of(key), "8:3 '");
    check_one(of("shell: [bash]"), "8:10 'shell' has no meaning");
    check_one(of("secrets: { A: b }"), "8:14 'secrets' has no meaning");
    check_one(of("secret_files: { /a: b }"), "8:19 'secret_files' has no meaning");

    check_one(of("env: { TAG: x }"), "8:3 'environment' has no meaning in a step that builds an image | a Dockerfile gets build: { args");
    CHECK(of("env: { TAG: x }\n  if: env.TAG == 'x'") == Said{});
    CHECK(said_of("steps:\n- { build: { args: { A: \"${{ env.TAG }}\" } }, env: { TAG: x } }\n") == Said{});

    const std::string push = "steps:\n- push: { image: a, tags: [r.example/a:1] }\n  ";
    CHECK(said_of(push + "pull_policy: always\n") == Said{"2:3 pushes are not supported by the docker engine yet"});
    CHECK(said_of(push + "image: b\n").back() == "3:3 'image' has no meaning in a step that pushes an image | write push: { image: … }");
}

TEST_CASE("files of secrets are in no folder that outlives the container", "[checks]")
{
    const std::string top = "volumes: { data: }\nimage: a\ncaches: [{ name: npm, path: /root/.npm }]\nsteps:\n- run: x\n";
    const auto of = [&](const std::string& keys) { return said_of(top + keys); };
    CHECK(of("  secret_files: { /run/secrets/key: key, /root/.npmrc: key }\n") == Said{});
    CHECK(of("  secret_files: { /workspace/key: key }\n") ==
          Said{"6:19 '/workspace/key' would be there for others, too: it is in the workspace | a path of the container's own goes with it: /run/secrets/key"});
    check_one(of("  secret_files:\n    /run/key: key\n    /root/x/../.npm/key: key\n"),
              "8:5 '/root/x/../.npm/key' would be there for others, too: it is in the cache 'npm'");
    check_one(of("  secret_files: { /data: key }\n  volumes: [\"data:/data\"]\n"), "6:19 '/data' would be there for others, too: it is in the volume 'data'");
    check_one(of("  secret_files: { /h/a: key }\n  volumes: [\"/host:/h/\"]\n"), "6:19 '/h/a' would be there for others, too: it is in the volume '/host'");
    // The first that holds it counts, and of volumes those that the step has.
    check_one(said_of("image: a\ncaches: [{ name: inner, path: /c/d }, { name: outer, path: /c }, { name: again, path: /c/d/e }]\nvolumes: { v: }\nsteps:\n"
                      "- { run: x, volumes: [\"v:/c/d/x\"], secret_files: { /c/d/e/f: key } }\n"),
              "5:52 '/c/d/e/f' would be there for others, too: it is in the cache 'inner'");
    check_one(said_of("defaults: { image: a, volumes: [\"v:/v\"] }\nvolumes: { v: }\nstages:\n- name: a\n  steps: [{ run: x, secret_files: { /v/k: key } }]\n"
                      "- name: b\n  volumes: [\"v:/w\"]\n  steps:\n  - { run: x, secret_files: { /v/k: key } }\n"
                      "  - { run: x, volumes: [], secret_files: { /v/k: key, /w/k: key } }\n"),
              "5:37 '/v/k' would be there for others, too: it is in the volume 'v'");
    for (const auto* nowhere : {"/", "/../workspace/key", "/proc/self/key", "/dev/key", "/run/gantry/key"})
        check_one(of(fmt::format("  secret_files: {{ {}: key }}\n", nowhere)),
                  fmt::format("6:19 '{}' is no place for a file", nowhere));
    check_one(of("  secret_files: { /run/a: key, /run//x/../a: other }\n"),
              "6:32 '/run/a' and '/run//x/../a' are one file");
    CHECK(of("  secret_files: { /anon/a: key }\n  volumes: [/anon, \"data:/${{ env.X }}\"]\n") == Said{});
}

TEST_CASE("labels of machines are refused where they begin", "[checks]")
{
    CHECK(said_of("image: busybox\nruns_on: { os: linux }\nsteps: [make]\n") == Said{"2:1 'runs_on' is not supported by the docker engine yet"});
}

TEST_CASE("the group of a whole run knows no stage", "[checks]")
{
    const auto of = [](const std::string& group) { return said_of("concurrency: { group: \"" + group + "\" }\nimage: a\nenv: { A: b }\nsteps: [x]\n"); };
    CHECK(of("d-${{ matrix.x }}-${{ stage }}") ==
          Said{"1:30 'matrix' is not known here: this is of the whole run | a stage may have its own",
               "1:46 'stage' is not known here: this is of the whole run | a stage may have its own"});
    check_one(of("${{ steps.x.image }}"), "1:28 no step has run when this part of the pipeline is computed");
    CHECK(of("d-${{ branch }}-${{ env.A }}") == Said{});
    CHECK(said_of("stages:\n- name: a\n  image: a\n  matrix: { x: [1] }\n  concurrency: \"${{ matrix.x }}-${{ stage }}\"\n  steps: [x]\n") == Said{});
}

TEST_CASE("no stage waits for the group that its own run is in", "[checks]")
{
    const auto of = [](const std::string& whole, const std::string& own) {
        return said_of("concurrency: " + whole + "\nstages:\n- name: a\n  image: a\n  steps: [x]\n  concurrency: " + own + "\n");
    };
    CHECK(of("{ group: x }", "{ group: x, limit: 2 }") ==
          Said{"6:3 stage 'a' would wait for its own run, which has the group 'x' | leave out one of them, or give the stage a group of its own"});
    check_one(of("x", "x"), "6:3 stage 'a' would wait");
    CHECK(of("x", "y") == Said{});
    CHECK(of("\"${{ branch }}\"", "\"${{ branch }}\"") == Said{});
}

TEST_CASE("sysctls are those that a container has for itself", "[checks]")
{
    const std::string hint = "a container has net.*, fs.mqueue.*, kernel.msg*, kernel.shm* and kernel.sem for itself; others are the host's";
    CHECK(of_step("sysctls: { net.core.somaxconn: 1, kernel.panic: 1 }") ==
          Said{"4:37 'kernel.panic' is not a sysctl that a container has for itself | " + hint});
    CHECK(of_step("sysctls: [kernel/panic=1, net/ipv4/ip_forward=1, vm.max_map_count=1]") ==
          Said{"4:13 'kernel/panic' is not a sysctl that a container has for itself | " + hint,
               "4:52 'vm.max_map_count' is not a sysctl that a container has for itself | " + hint});
    check_one(of_step("sysctls: { kernel.shmax: 1 }"), "4:14 'kernel.shmax' is not a sysctl that a container has for itself | did you mean 'kernel.shmmax'?");
    check_one(of_step("sysctls: { kernel.hostname: a }"), "4:14 'kernel.hostname' is set by another key | write hostname: NAME");
    check_one(of_step("sysctls: { kernel/hostname: a }"), "4:14 'kernel/hostname' is set by another key");
    CHECK(of_step("sysctls: { kernel.domainname: a }") == Said{});
}

TEST_CASE("of a health test the words are told that are wrong", "[checks]")
{
    const auto of = [](const std::string& test) { return of_step("healthcheck: { test: " + test + " }"); };
    CHECK(of("[\"CMD-SHELL\", \"echo ${{ event }}\"]") == Said{"4:38 '${{ }}' is not computed here | write the value itself"});
    check_one(of("[CMD, [a]]"), "4:30 an item of this list must be text, not a list");
    check_one(of("[[CMD], a]"), "4:25 an item of this list must be text, not a list");
    check_one(of("[CMD]"), "4:24 a health test starts with CMD, CMD-SHELL or NONE");
    check_one(of("[]"), "4:24 a health test starts with CMD, CMD-SHELL or NONE");
    CHECK(of("[pg_isready, [a]]").size() == 2);
}

TEST_CASE("schedules are told apart from what is none", "[checks]")
{
    const auto of = [](const std::string& schedule) { return said_of("on: { schedule: [{ " + schedule + " }] }\nimage: a\nsteps: [x]\n"); };
    check_one(of("cron: \"0 3 31-1 * *\""), "1:31 '31-1' ends before it begins");
    check_one(of("cron: 99 3 * * *"), "1:26 '99' is not a minute | *, or numbers from 0 to 59");
    check_one(of("cron: 0 3 * * *, timezone: Mars/Phobos"), "1:47 'Mars/Phobos' is not a time zone | write UTC, or Area/Place");
    CHECK(of("cron: 0 3 * * mon-fri, timezone: Europe/Berlin") == Said{});
}

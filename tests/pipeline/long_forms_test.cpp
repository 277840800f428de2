#include "pipeline/native_support.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/plan_env.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

// What has a short and a long form in the Compose specification, and options that say little to us.

namespace {

Container sole_container(const std::string& keys)
{
    const auto parsed = parse_text("steps: [{ image: a, " + keys + " }]");
    REQUIRE(problems_of(parsed) == "");
    return parsed.definition.stages.at(0).steps.at(0).steps.at(0).container;
}

std::string problems_with(const std::string& keys) { return problems_of("steps:\n- image: a\n  " + keys + "\n"); }

std::string variables_of(const std::string& text, EnvFileValues values = EnvFileValues::plain)
{
    EnvFileProblem problem;
    std::string all;
    for (const auto& [name, value, line] : parse_env_file(text, problem, values))
        all += std::to_string(line) + " " + name + "=" + value + "|";
    CHECK(problem.line == 0);
    return all;
}

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("an env_file is a path, or says whether it has to be there and how it is read", "[pipeline][native]")
{
    const auto files = sole_container("env_file: [a.env, { path: b.env, required: false }, { path: c.env, format: raw }]").env_file;
    CHECK(files == std::vector{EnvFileEntry{"a.env"}, EnvFileEntry{"b.env", false}, EnvFileEntry{"c.env", true, true}});
    CHECK(sole_container("env_file: { path: a.env, required: true }").env_file == std::vector{EnvFileEntry{"a.env"}});
    CHECK_THAT(problems_with("env_file: [{ path: a, format: json }]"), ContainsSubstring(":3:33: error: 'json' is not a format of an env_file"));
    CHECK_THAT(problems_with("env_file: [{ required: false }]"), ContainsSubstring(":3:14: error: an env_file needs 'path'"));
}

TEST_CASE("a line of an env_file has its value behind = or :, and a raw one as it stands", "[pipeline]")
{
    CHECK(variables_of("A: 1\nB : 'x y' # note\nC=d:e\nD: e=f\nexport E: \"a\nb\"\nF:\n") == "1 A=1|2 B=x y|3 C=d:e|4 D=e=f|5 E=a\nb|7 F=|");
    CHECK(variables_of("# note\nA=\"x\" # y \r\n  B:C='$D'\n\n", EnvFileValues::raw) == "2 A=\"x\" # y |3 B:C='$D'|");
}

TEST_CASE("a command of null says nothing, and one of nothing replaces the image's", "[pipeline][native]")
{
    for (const auto* null : {"command: null, entrypoint: null", "command: , entrypoint: ~"})
        CHECK(sole_container(null) == sole_container("x-none: 1"));
    CHECK(sole_container("command: [], entrypoint: \"\"").command->empty());
    const auto parsed = parse_text("defaults: { entrypoint: [a] }\nsteps: [{ image: i, command: [b], entrypoint: null }]\n"
                                   "services: { s: { image: i, command: null } }\n");
    REQUIRE(problems_of(parsed) == "");
    CHECK(parse_text(print_native(parsed.definition)).definition == parsed.definition);
    CHECK_FALSE(parsed.definition.stages.at(0).services.at(0).container.command);
    const auto planned = make_plan(parsed.definition, {}, {});
    CHECK(planned.plan.stages.at(0).steps.at(0).container.entrypoint == std::vector<Text>{"a"});
    CHECK_THAT(problems_with("shell: null"), ContainsSubstring("'shell' must be text, not nothing"));
}

TEST_CASE("a name of extra_hosts may have several addresses", "[pipeline][native]")
{
    CHECK(sole_container("extra_hosts: { a: 1.1.1.1, b: [1.1.1.2, \"[::1]\"] }").extra_hosts == Strings{"a:1.1.1.1", "b:1.1.1.2", "b:::1"});
    CHECK_THAT(problems_with("extra_hosts: { b: [1.1.1.1, zz] }"), ContainsSubstring(":3:31: error: 'zz' is not an address"));
    CHECK_THAT(problems_with("extra_hosts: { b: [{ c: d }] }"), ContainsSubstring(":3:22: error: an item of this list must be text, not a map"));
    CHECK_THAT(problems_with("extra_hosts: { b: }"), ContainsSubstring("'b' must be text, not nothing"));
}

TEST_CASE("what Compose says of restarts and of drivers of addresses is taken, and changes nothing", "[pipeline]")
{
    const std::string pipeline = "image: i\nsteps: [x]\n", below = "networks: { n: { ipam: { driver: default } } }\n";
    const auto services = [](const std::string& restart) {
        return "services: { t: { image: i }, s: { image: i, depends_on: { t: { condition: service_started" + restart + " } }, networks: [n] } }\n";
    };
    for (const bool is_compose : {false, true}) {
        CAPTURE(is_compose);
        const auto parse = [&](const std::string& text) { return is_compose ? parse_compose(text) : parse_text(pipeline + text); };
        const auto taken = parse(services(", restart: true") + below);
        REQUIRE(problems_of(taken) == "");
        CHECK(taken.definition == parse(services("") + "networks: { n: }\n").definition);
        CHECK_THAT(problems_of(parse(services(", restart: maybe") + below)), ContainsSubstring("error: 'maybe' is not a boolean"));
        CHECK_THAT(problems_of(parse(services("") + "networks: { n: { ipam: { driver: own } } }\n")),
                   ContainsSubstring("error: 'own' is not a driver of addresses"));
    }
}

TEST_CASE("a port may say what it is for, and a mode that there is", "[pipeline][native]")
{
    const auto ports = sole_container("ports: [{ target: 80, name: web, app_protocol: http, mode: host }, { target: 81, mode: ingress }]").ports;
    CHECK(ports == std::vector<PortMapping>{{"", "", "80", "tcp", {}}, {"", "", "81", "tcp", {}}});
    CHECK_THAT(problems_with("ports: [{ target: 80, mode: hots }]"), ContainsSubstring(":3:31: error: 'hots' is not a mode of a port\n"));
    CHECK_THAT(problems_with("ports: [{ target: 80, mode: hots }]"), ContainsSubstring("did you mean 'host'?"));
}

TEST_CASE("a file mode is octal with a zero in front or in quotes, and a number as it stands otherwise", "[pipeline][native]")
{
    const auto mode = [](const std::string& written) {
        return sole_container("volumes: [{ type: tmpfs, target: /x, tmpfs: { mode: " + written + " } }]").volumes.at(0).tmpfs_mode;
    };
    for (const auto* same : {"0640", "0o640", "\"640\"", "'0640'", "416", "0x1a0"})
        CHECK(mode(same) == 0640);
    CHECK(mode("0") == 0);
    const auto wrong = [](const std::string& written) { return problems_with("volumes: [{ type: tmpfs, target: /x, tmpfs: { mode: " + written + " } }]"); };
    CHECK_THAT(wrong("017777"), ContainsSubstring(":3:55: error: 017777 is out of range"));
    CHECK_THAT(wrong("\"888\""), ContainsSubstring("write it without quotes"));
    CHECK_THAT(wrong("rw"), ContainsSubstring("'rw' is not a whole number"));
    CHECK_THAT(wrong("077777777777777"), ContainsSubstring("is out of range"));
}

TEST_CASE("a bind says what the engine does with the folder of the host", "[pipeline][native]")
{
    const auto mounts =
        sole_container(
            "volumes: [{ type: bind, source: /h, target: /x, consistency: cached, bind: { propagation: rslave, create_host_path: true } }, "
            "\"/h:/y:ro,rshared,delegated\", \"v:/z:cached\", { type: bind, source: /h, target: /w, bind: { create_host_path: false } }]")
            .volumes;
    REQUIRE(mounts.size() == 4);
    CHECK(mounts[0].propagation == "rslave");
    CHECK(mounts[0].create_host_path);
    CHECK(mounts[1].propagation == "rshared");
    CHECK(mounts[1].read_only);
    CHECK(mounts[2].propagation.empty());
    CHECK_FALSE(mounts[3].create_host_path);
    CHECK_THAT(problems_with("volumes: [{ type: bind, source: /h, target: /x, bind: { propagation: rshare } }]"),
               ContainsSubstring("did you mean 'rshared'?"));
    CHECK_THAT(problems_with("volumes: [{ source: v, target: /x, bind: { propagation: shared } }]"),
               ContainsSubstring(":3:44: error: only a host path can be bound"));
    CHECK_THAT(problems_with("volumes: [\"v:/x:shared\"]"), ContainsSubstring(":3:13: error: only a host path can be bound"));
    CHECK_THAT(problems_with("volumes: [\"v:/x:shred\"]"), ContainsSubstring("'shred' is not an option of a volume"));
    CHECK_THAT(problems_with("volumes: [{ source: v, target: /x, consistency: eventual }]"), ContainsSubstring("'eventual' is not a consistency"));
}

TEST_CASE("a label for SELinux is taken, and warned of where somebody may count on it", "[pipeline][native]")
{
    for (const char* labelled : {"\"/h:/x:ro,z\"", "\"/h:/x:Z\"", "{ type: bind, source: /h, target: /x, bind: { selinux: z } }"}) {
        const auto parsed = parse_text("steps: [{ image: a, volumes: [" + std::string(labelled) + "] }]");
        CHECK(parsed.ok());
        CHECK_THAT(problems_of(parsed), ContainsSubstring("warning: the label for SELinux has no effect"));
    }
    CHECK(problems_with("volumes: [\"v:/x:z\"]") == "");
    CHECK_THAT(problems_with("volumes: [{ type: bind, source: /h, target: /x, bind: { selinux: y } }]"),
               ContainsSubstring("'y' is not a label for SELinux"));
}

TEST_CASE("a device has a short and a long form", "[pipeline][native]")
{
    CHECK(sole_container("devices: [\"/dev/a:/dev/b:r\", { source: /dev/null, target: /dev/x, permissions: rw }, { source: /dev/fuse }]").devices ==
          Strings{"/dev/a:/dev/b:r", "/dev/null:/dev/x:rw", "/dev/fuse:/dev/fuse:rwm"});
    CHECK_THAT(problems_with("devices: [{ source: null:zero }]"), ContainsSubstring(":3:23: error: 'null:zero' is not a path of a device"));
    CHECK_THAT(problems_with("devices: [{ source: /dev/null, permissions: rx }]"), ContainsSubstring("'rx' is not a right to a device"));
    CHECK_THAT(problems_with("devices: [{ target: /dev/null }]"), ContainsSubstring("a device needs 'source'"));
}

TEST_CASE("long forms may stand wherever a container's keys do", "[pipeline][native]")
{
    const std::string keys = "env_file: [{ path: a.env, required: false }], devices: [{ source: /dev/null }], "
                             "volumes: [{ source: v, target: /v, consistency: cached }]";
    const auto parsed = parse_text("volumes: { v: }\ndefaults: { " + keys + " }\nstages:\n- { name: a, image: i, " + keys +
                                   ", steps: [x],\n    services: { s: { image: i, " + keys + ", ports: [{ target: 1, mode: host }] } } }\n");
    CHECK(problems_of(parsed) == "");
    CHECK(parse_text(print_native(parsed.definition)).definition == parsed.definition);
    CHECK(parsed.definition.defaults.container.env_file == parsed.definition.stages.at(0).services.at(0).container.env_file);
}

#include "pipeline/frontend/compose_support.hpp"

#include "support/catch.hpp"

#include <stdexcept>

using namespace gantry::pipeline;

// What comes of several files, and of services that extend others.

namespace {

using EnvLines = std::vector<std::string>; // "NAME=value"

const Service& service_named(const Parsed& parsed, const std::string& name)
{
    for (const auto& service : parsed.definition.stages.at(0).services)
        if (service.name == name)
            return service;
    throw std::out_of_range(name);
}

EnvLines environment_lines(const Parsed& parsed, const std::string& name = "s")
{
    EnvLines lines;
    for (const auto& [variable, value] : service_named(parsed, name).container.environment)
        lines.push_back(variable + "=" + value.source());
    return lines;
}

std::string context_of(const Parsed& parsed, const std::string& name = "s")
{
    const auto& build = service_named(parsed, name).build;
    return build ? build->context.source() : "no build";
}

} // namespace

TEST_CASE("a build without a context keeps that of the file before, and of what it extends", "[pipeline][compose]")
{
    const auto merged = parse_compose_files({"services: { s: { build: ./api } }\n", "services: { s: { build: { target: dev } } }\n"});
    REQUIRE(problems_of(merged) == "");
    CHECK(context_of(merged) == "api");
    const auto extended = parse_compose("services: { base: { build: ./api }, s: { extends: base, build: { args: { X: '1' } } } }\n");
    REQUIRE(problems_of(extended) == "");
    CHECK(context_of(extended) == "api");
    CHECK(service_named(extended, "s").build->args.size() == 1);
}

TEST_CASE("without a context anywhere, a build has the folder of the project", "[pipeline][compose]")
{
    const std::string bare = "services: { s: { build: { target: dev } } }\n";
    CHECK(context_of(parse_compose(bare)) == ".");
    CHECK(context_of(parse_files({{".gantry.yml", "image: x\ncompose: ci/c.yml\nsteps: [x]\n"}, {"ci/c.yml", bare}})) == "ci");
    CHECK(context_of(parse_compose("include: [sub/c.yml]\n", {{"sub/c.yml", bare}})) == "sub");
    CHECK(context_of(parse_compose("include: [{ path: [sub/c.yml, other/d.yml] }]\n", {{"sub/c.yml", bare}, {"other/d.yml", bare}})) == "sub");
    CHECK(context_of(parse_compose_files({"services: { s: { build: ./api } }\n", "services: { s: { build: { context: !reset null } } }\n"})) == ".");
    CHECK(compose_problems("services: { s: { build: { context: [a, b] } } }\n") == "1:36 'context' must be text, not a list");
}

TEST_CASE("a context that is an address is taken as it is, in a file of any folder", "[pipeline][compose]")
{
    for (const std::string address : {"https://example.org/x.git", "git://example.org/x.git#main", "github.com/example/x.git"}) {
        const auto file = "services: { s: { build: \"" + address + "\" } }\n";
        CHECK(context_of(parse_files({{".gantry.yml", "image: x\ncompose: ci/c.yml\nsteps: [x]\n"}, {"ci/c.yml", file}})) == address);
    }
}

TEST_CASE("what !override has replaced is added to by the next file", "[pipeline][compose]")
{
    const auto parsed = parse_compose_files({"services: { s: { image: i, environment: { A: '1' }, dns: [1.1.1.1] } }\n",
                                             "services: { s: { environment: !override { B: '2' }, dns: !override [2.2.2.2] } }\n",
                                             "services: { s: { environment: { C: '3' }, dns: [3.3.3.3] } }\n"});
    REQUIRE(problems_of(parsed) == "");
    CHECK(environment_lines(parsed) == EnvLines{"B=2", "C=3"});
    CHECK(service_named(parsed, "s").container.dns == std::vector<std::string>{"2.2.2.2", "3.3.3.3"});
    const auto extended =
        parse_compose("services: { base: { image: i, environment: !override { A: '1' } }, s: { extends: base, environment: { B: '2' } } }\n");
    REQUIRE(problems_of(extended) == "");
    CHECK(environment_lines(extended) == EnvLines{"A=1", "B=2"});
    // With a file before: what a service overrides is all that stood in it, what its base does is the base's own.
    const std::string before = "services: { s: { image: i, environment: { Z: '1' } } }\n";
    const auto own = parse_compose_files(
        {before, "services: { base: { image: i, environment: { A: '1' } }, s: { extends: base, environment: !override { B: '2' } } }\n"});
    REQUIRE(problems_of(own) == "");
    CHECK(environment_lines(own) == EnvLines{"B=2"});
    const auto of_base = parse_compose_files(
        {before, "services: { base: { image: i, environment: !override { A: '1' } }, s: { extends: base, environment: { B: '2' } } }\n"});
    REQUIRE(problems_of(of_base) == "");
    CHECK(environment_lines(of_base) == EnvLines{"Z=1", "A=1", "B=2"});
}

TEST_CASE("a variable without value is left out, whatever stands before", "[pipeline][compose]")
{
    const auto left_out = [](const Parsed& parsed) {
        CHECK(parsed.ok());
        CHECK_THAT(problems_of(parsed), ContainsSubstring("'A' has no value, here and in 'env': it is left out"));
        return environment_lines(parsed);
    };
    CHECK(left_out(parse_compose_files({"services: { s: { image: i, environment: { A: x, B: y } } }\n", "services: { s: { environment: [A] } }\n"})) ==
          EnvLines{"B=y"});
    CHECK(left_out(parse_compose("services: { s: { image: i, env_file: a.env, environment: [A] } }\n", {{"a.env", "A=1\nB=$A\n"}})) == EnvLines{"B=1"});
    CHECK(left_out(parse_compose_files({"services: { s: { image: i, environment: { A: x } } }\n",
                                        "services: { base: { image: i, environment: [B=z] }, s: { extends: base, environment: [A] } }\n"})) == EnvLines{"B=z"});
    CHECK(environment_lines(parse_compose_files({"services: { s: { image: i, environment: [A] } }\n", "services: { s: { environment: [A=x] } }\n"})) ==
          EnvLines{"A=x"});
    const auto built = parse_compose_files({"services: { s: { build: { args: { A: x, B: y } } } }\n", "services: { s: { build: { args: [A] } } }\n"});
    CHECK(service_named(built, "s").build->args.size() == 1);
}

TEST_CASE("a subnet that two files give one network is one", "[pipeline][compose]")
{
    const std::string networks = "networks: { n: { ipam: { config: [{ subnet: 10.9.0.0/24 }] } } }\n";
    const auto parsed = parse_compose_files({"services: { s: { image: i, networks: [n] } }\n" + networks, networks});
    REQUIRE(problems_of(parsed) == "");
    REQUIRE(parsed.definition.networks.size() == 1);
    CHECK(parsed.definition.networks[0].ipam.size() == 1);
    const auto of_both = parse_compose_files({"services: { s: { image: i, networks: [n] } }\n"
                                              "networks: { n: { ipam: { config: [{ subnet: 10.9.0.0/24, gateway: 10.9.0.7 }] } } }\n",
                                              "networks: { n: { ipam: { config: [{ subnet: 10.9.0.0/24, ip_range: 10.9.0.128/25 }] } } }\n"});
    REQUIRE(problems_of(of_both) == "");
    REQUIRE(of_both.definition.networks.at(0).ipam.size() == 1);
    CHECK(of_both.definition.networks[0].ipam[0].gateway == "10.9.0.7");
    CHECK(of_both.definition.networks[0].ipam[0].ip_range == "10.9.0.128/25");
}

TEST_CASE("names of services, volumes and the like may begin with x-", "[pipeline][compose]")
{
    const auto parsed = parse_compose("services: { x-s: { image: i, volumes: ['x-v:/v'], networks: [x-n], configs: [x-c] } }\n"
                                      "volumes: { x-v: { driver: d } }\nnetworks: { x-n: { internal: true } }\nconfigs: { x-c: { content: text } }\n");
    REQUIRE(problems_of(parsed) == "");
    CHECK(service_named(parsed, "x-s").files.size() == 1);
    CHECK(parsed.definition.volumes.at(0).driver == "d");
    CHECK(parsed.definition.networks.at(0).internal);
    CHECK(compose_problems("services: { s: { image: i } }\nnetworks: { x-n: { a: b } }\n") == "2:20 unknown key 'a' in a network");
}

TEST_CASE("a file with include is of no old version", "[pipeline][compose]")
{
    const Files other{{"c.yml", "services: { s: { image: i } }\n"}};
    CHECK(compose_problems("x-base: { image: i }\ninclude: [c.yml]\n", other) == "");
    CHECK(compose_problems("x-base: { image: i }\nname: a\n") == "2:10 there are no services in this Compose file");
    CHECK_THAT(compose_problems("x-base: { image: i }\nweb: { image: i }\n"), ContainsSubstring("of version 1"));
}

TEST_CASE("what two files have that one project includes has to be the same", "[pipeline][compose]")
{
    const std::string shared = "services: { d: { image: i, ports: [80], build: { target: t } } }\nvolumes: { v: { driver: x, labels: { a: b } } }\n";
    const auto diamond = parse_compose("include: [a.yml, b.yml]\n", {{"a.yml", "include: [d.yml]\nservices: { a: { image: i } }\n"},
                                                                     {"b.yml", "include: [d.yml]\nservices: { b: { image: i } }\n"},
                                                                     {"d.yml", shared}});
    REQUIRE(problems_of(diamond) == "");
    CHECK(diamond.definition.stages[0].services.size() == 3);
    CHECK(service_named(diamond, "d").container.ports.size() == 1);

    const auto problems = [](const std::string& own, const std::string& other) { return compose_problems("include: [c.yml]\n" + own, {{"c.yml", other}}); };
    const std::string told = " is in an included file, too, and not the same | give one of them another name, or list the files under "
                             "'compose' of the stage, which merges them";
    CHECK(problems("services: { s: { image: i } }\n", "services: { s: { image: j } }\n") == "2:13 the service 's'" + told);
    const std::string with_s = "services: { s: { image: i } }\n";
    CHECK(problems("volumes: { v: { driver: y } }\n", with_s + "volumes: { v: { driver: x } }\n") == "2:12 the volume 'v'" + told);
    CHECK(problems("configs: { v: { content: y } }\n", with_s + "configs: { v: { content: x } }\n") == "2:12 the config 'v'" + told);
    CHECK(problems("volumes: { v: { labels: { a: b }, driver: x } }\nnetworks: { n: }\n",
                   with_s + "volumes: { v: { driver: x, labels: { a: b } } }\nnetworks: { n: {} }\n") == "");
    CHECK(problems("", "include: [{ path: [] }]\n" + with_s) == "1:19 an include needs a file in 'path' | write path: compose.other.yml");
}

#include "pipeline/checks.hpp"
#include "pipeline/frontend/compose_support.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

// Nothing that a Compose file says is left out in silence.

TEST_CASE("a key that Compose does not have is told of without a value, too", "[pipeline][compose]")
{
    const auto of_service = [](const std::string& keys) { return compose_problems("services:\n  s:\n    image: i\n    " + keys + "\n"); };
    CHECK(of_service("heathcheck:") == "4:5 unknown key 'heathcheck' in a service | did you mean 'healthcheck'?");
    CHECK(of_service("bogus: null") == "4:5 unknown key 'bogus' in a service");
    CHECK(of_service("gpus:") == "4:5 'gpus' of a service is not supported in a Compose file");
    CHECK(of_service("deploy: { resoruces: }") == "4:15 unknown key 'resoruces' in deploy | did you mean 'resources'?");
    CHECK(of_service("deploy: { resources: { limts: } }") == "4:28 unknown key 'limts' in the resources of a service | did you mean 'limits'?");
    CHECK(of_service("build: { contxt: }") == "4:14 unknown key 'contxt' in build | did you mean 'context'?");
    CHECK(of_service("networks: { default: { alias: } }") == "4:28 unknown key 'alias' in a network of a container | did you mean 'aliases'?");
    // Those that it has say nothing then.
    for (const auto* keys : {"healthcheck:", "tty:", "mem_reservation:", "x-any:", "deploy: { resources: }", "build: { target: }", "command:"}) {
        CAPTURE(keys);
        CHECK(of_service(keys) == "");
    }
}

TEST_CASE("x- keys are free in whatever a Compose file has", "[pipeline][compose]")
{
    for (const auto* keys : {"x-a: [b]", "build: { x-a: b }", "deploy: { x-a: b }", "deploy: { resources: { x-a: b } }",
                             "deploy: { resources: { limits: { x-a: b, memory: 1g }, reservations: { x-a: } } }", "healthcheck: { x-a: b }",
                             "networks: { default: { x-a: b } }", "depends_on: { t: { x-a: b } }",
                             "volumes: [{ type: bind, source: ., target: /a, x-a: b }]"}) {
        CAPTURE(keys);
        CHECK(compose_problems("services: { t: { image: i }, s: { image: i, " + std::string(keys) + " } }\n") == "");
    }
    CHECK(compose_problems("x-a: b\ninclude: [{ path: c.yml, x-a: b }]\nnetworks: { default: { x-a: b } }\n",
                           {{"c.yml", "services: { s: { image: i } }\n"}}) == "");
}

TEST_CASE("an unknown key of extends is told of, and no service is said to be missing for it", "[pipeline][compose]")
{
    const auto of_extends = [](const std::string& keys) {
        return compose_problems("services:\n  s:\n    extends: { " + keys + " }\n  b: { image: i }\n");
    };
    CHECK(of_extends("service: b, fil: no.yml, bogus: { x: 1 }") == "3:28 unknown key 'fil' in extends | did you mean 'file'?\n"
                                                                   "3:41 unknown key 'bogus' in extends");
    CHECK(of_extends("service: elsewhere, fle: no.yml") == "3:36 unknown key 'fle' in extends | did you mean 'file'?");
    CHECK(of_extends("servce: b") == "3:16 unknown key 'servce' in extends | did you mean 'service'?");
    CHECK(of_extends("service: b, x-note: y") == "");
    CHECK(places_of(parse_compose("services: { s: { extends: { service: b, fil: } }, b: { image: i } }\n")) ==
          "compose.yml:1:41 unknown-key services.s.extends.fil");
}

TEST_CASE("what no service uses is left out, but its keys have to be right", "[pipeline][compose]")
{
    const auto below = [](const std::string& text) { return compose_problems("services: { s: { image: i } }\n" + text + "\n"); };
    CHECK(below("networks: { n: { foo: } }") == "2:18 unknown key 'foo' in a network");
    CHECK(below("volumes: { v: { drivr: x } }") == "2:17 unknown key 'drivr' in a volume | did you mean 'driver'?");
    CHECK(below("volumes: { v: { driver: x, driver_opts: { o: uid } } }\nnetworks: { n: { internal: true } }") == "");
    CHECK(parse_compose("services: { s: { image: i } }\nvolumes: { v: }\n").definition.volumes.empty());
}

TEST_CASE("a network or volume is external or made, as Compose has it", "[pipeline][compose]")
{
    const auto of_volume = [](const std::string& keys) {
        return compose_problems("services: { s: { image: i, volumes: [\"v:/v\"] } }\nvolumes: { v: { " + keys + " } }\n");
    };
    CHECK(of_volume("external: true, driver: nfs") ==
          "2:33 'driver' and 'external: true' cannot stand together | it exists already and stays as it is: take one of them out");
    CHECK(of_volume("external: { name: x }, labels: [a]") ==
          "2:40 'labels' and 'external: true' cannot stand together | it exists already and stays as it is: take one of them out");
    CHECK(of_volume("external: true, name: x") == "");
}

TEST_CASE("a secret from the root of the host is a bind, on which an owner and a mode have no effect", "[pipeline][compose]")
{
    const auto compose = [](const std::string& keys) {
        return "services: { s: { image: i, secrets: [{ source: a" + keys + " }] } }\nsecrets: { a: { file: /etc/passwd } }\n";
    };
    CHECK(compose_problems(compose("")) == "");
    CHECK(compose_problems(compose(", target: /t, mode: 0400, uid: '1'")) ==
          "1:63 warning: 'mode' has no effect on a file of the host | put the file into the repository, or leave this out\n"
          "1:75 warning: 'uid' has no effect on a file of the host | put the file into the repository, or leave this out");
    const auto parsed = parse_compose(compose(""));
    const auto& mount = parsed.definition.stages.at(0).services.at(0).container.volumes.at(0);
    CHECK((mount.type == VolumeMount::Type::bind && mount.source.literal() == "/etc/passwd" && mount.read_only));
}

TEST_CASE("the name of what belongs to a stage is warned of", "[pipeline][compose]")
{
    const std::string warning = " warning: 'name' has no effect in a pipeline: the engine gets a name that is of this run alone | "
                                "with external: true it names what exists already";
    const std::string service = "services: { s: { image: i, networks: [n], volumes: [\"v:/v\"] } }\n";
    CHECK(compose_problems(service + "volumes: { v: }\nnetworks: { n: { name: x } }\n") == "3:18" + warning);
    CHECK(compose_problems(service + "volumes: { v: { external: false, name: x } }\nnetworks: { n: }\n") == "2:34" + warning);
    CHECK(compose_problems(service + "volumes: { v: }\nnetworks: { n: , default: { name: x } }\n") == "3:29" + warning);
}

TEST_CASE("two keys that say different things are told of", "[pipeline][compose]")
{
    const auto of_service = [](const std::string& keys) { return compose_problems("services:\n  s:\n    image: i\n    " + keys + "\n"); };
    CHECK(of_service("scale: 3\n    deploy: { replicas: 2 }") == "5:15 'scale' says 3, this says 2 | keep one of them");
    CHECK(of_service("scale: 2\n    deploy: { replicas: 2 }") == "");

    const std::string told = " stands beside another source of a config or secret | keep one of file, content and environment";
    const std::string used = "services: { s: { image: i, configs: [d] } }\n", unused = "services: { s: { image: i } }\n";
    CHECK(compose_problems(used + "configs: { d: { file: x, content: y } }\n", {{"x", ""}}) == "2:26 'content'" + told);
    CHECK(compose_problems(unused + "configs: { d: { file: x, content: y } }\n") == "2:26 'content'" + told);
    CHECK(compose_problems(unused + "secrets: { d: { environment: A, file: x } }\n") == "2:39 'file'" + told);
    CHECK(compose_problems(unused + "secrets: { d: { fil: x } }\n") ==
          "2:17 unknown key 'fil' in a config or secret | it may have: content, environment, external, file, labels, name");
    CHECK(compose_problems(used + "configs: { d: { file: x, x-note: y } }\n", {{"x", ""}}) == "");
}

TEST_CASE("an alias is good in its network, a name of the service in all of its", "[pipeline][compose]")
{
    const auto parsed = parse_compose("services: { s: { image: i, container_name: c, networks: { default: { aliases: [a] }, back: { aliases: [b] } } } }\n"
                                      "networks: { back: }\n");
    REQUIRE(problems_of(parsed) == "");
    const auto& networks = parsed.definition.stages.at(0).services.at(0).container.networks;
    CHECK(networks.at(0).aliases == std::vector<std::string>{"a", "c"});
    CHECK(networks.at(1).aliases == std::vector<std::string>{"b", "c"});
}

TEST_CASE("the long form of a path of the repository is read whole", "[pipeline][compose]")
{
    const auto of_volume = [](const std::string& keys) {
        return compose_problems("services: { s: { image: i, volumes: [{ type: bind, source: ./conf, target: /x" + keys + " }] } }\n");
    };
    CHECK(of_volume(", readonly: true") == "1:80 unknown key 'readonly' in a volume | did you mean 'read_only'?");
    CHECK(of_volume(", nonsense: [1]") ==
          "1:80 unknown key 'nonsense' in a volume | it may have: type, source, target, read_only, volume, bind, tmpfs, consistency");
    CHECK(of_volume(", read_only: maybe") == "1:91 'maybe' is not a boolean | write true or false");
    CHECK(of_volume(", volume: { subpath: a }") == "1:80 'volume' says nothing of a path of the repository | take it out");
    CHECK(compose_problems("services: { s: { image: i, volumes: ['./conf:/x:nocopy'] } }\n") ==
          "1:38 'nocopy' says nothing of a path of the repository | take it out");
    CHECK(of_volume(", tmpfs: { size: 1m }") == "1:80 'tmpfs' says nothing of a path of the repository | take it out");
    CHECK(of_volume(", read_only: yes, consistency: cached, volume: {}, tmpfs: {}, bind: { selinux: z }, x-note: 1") == "");
}

TEST_CASE("the file of a config or secret cannot be computed", "[pipeline][compose]")
{
    const Files files{{".gantry.yml", "env: { F: \"${{ branch }}\" }\nimage: x\ncompose: compose.yml\nsteps: [x]\n"}};
    const auto of_file = [&](const std::string& file) {
        return compose_problems("services: { s: { image: i, secrets: [a] } }\nsecrets: { a: { file: " + file + " } }\n", files);
    };
    CHECK(of_file("$F") == "2:23 '${{ }}' is not computed here | write the value itself");
    CHECK(of_file("conf/$F") == "2:23 '${{ }}' is not computed here | write the value itself");
    CHECK(of_file("/conf/$F") == "");
}

TEST_CASE("booleans of Compose are read in one way", "[pipeline][compose]")
{
    for (const auto* word : {"false", "no", "off", "n", "No", "'off'", "\"false\""}) {
        CAPTURE(word);
        const auto parsed = parse_compose("services:\n  a: { image: i, depends_on: { b: { condition: service_started, required: " + std::string(word) + " } }, "
                                          "tty: " + word + ", mem_reservation: " + word + ", volumes: ['v:/v'] }\n"
                                          "  b: { image: i, profiles: [debug] }\nvolumes: { v: { external: " + word + ", driver: d } }\n");
        CHECK(problems_of(parsed) == "");
        CHECK(parsed.definition.stages.at(0).services.size() == 1);
        CHECK(parsed.definition.stages.at(0).services.at(0).container.depends_on.empty());
        CHECK_FALSE(parsed.definition.volumes.at(0).external);
    }
    for (const auto* word : {"yes", "ON", "y", "'true'"})
        CHECK(parse_compose("services: { a: { image: i, volumes: ['v:/v'] } }\nvolumes: { v: { external: " + std::string(word) + " } }\n")
                  .definition.volumes.at(0)
                  .external);
}

TEST_CASE("a config or secret is a map with one source of text", "[pipeline][compose]")
{
    const auto below = [](const std::string& text) { return compose_problems("services: { s: { image: i } }\n" + text + "\n"); };
    const std::string hint = " | write file: ./path, content: text or environment: NAME";
    const std::string missing = "a config or secret has 'file', 'content' or 'environment'" + hint;
    CHECK(below("configs: { a: { file: [x] } }") == "2:23 'file' must be text, not a list");
    CHECK(below("configs: { a: { file: } }") == "2:15 " + missing);
    CHECK(below("configs: { a: {} }") == "2:15 " + missing);
    CHECK(below("secrets: { a: }") == "2:12 " + missing);
    CHECK(below("configs: { a: hello }") == "2:15 'a' must be a map (key: value), not text" + hint);
    CHECK(below("configs: { a: { external: true } }") == "");
    const auto granted = [](const std::string& declaration, const std::string& grant = "c") {
        return compose_problems("services: { s: { image: i, secrets: [" + grant + "] } }\nsecrets: { c: { " + declaration + " } }\n", {{"f", ""}});
    };
    CHECK(granted("external: true") == "2:27 what the engine keeps itself is not supported" + hint);
    CHECK(granted("external: false") == "2:15 " + missing);
    CHECK(granted("content: , file: ./f, external: no") == "");
    CHECK(granted("file: f", "{ source: c, target: [a] }") == "1:59 'target' must be a path in the container, not a list");
    CHECK(granted("file: f", "{ source: c, target: , uid: }") == "");
    CHECK_THAT(granted("file: ../f"), ContainsSubstring("'../f' is outside of the repository"));
}

TEST_CASE("a host without an address is told of", "[pipeline][compose]")
{
    CHECK(compose_service_problems("extra_hosts: { foo: , bar: {} }") == "4:20 'foo' must be text, not nothing | write \"\" for empty text\n"
                                                                        "4:32 'bar' must be text, not a map");
}

TEST_CASE("a share of CPU time is read whole, and stands alone", "[pipeline][compose]")
{
    const std::string share = "a share of CPU time is cpu_quota of each cpu_period, in microseconds | write cpus: 0.5";
    CHECK(compose_service_problems("cpu_quota: 50000us") == "4:5 " + share);
    CHECK(compose_service_problems("cpu_period: 1000") == "4:5 " + share);
    CHECK(compose_service_problems("cpu_quota: 100\n    cpu_period: 1000000") ==
          "4:5 cpu_quota of each cpu_period is less of a CPU than a container can have | write cpus: 0.01 or more");
    CHECK(compose_service_problems("deploy: { resources: { limits: { cpus: 2 } } }\n    cpu_quota: 50000") ==
          "4:38 'cpu_quota' and this limit cannot stand together | keep this one");
    CHECK(compose_service_problems("cpu_quota: 50000\n    deploy: { resources: { limits: { cpus: 2 } } }") ==
          "5:38 'cpu_quota' and this limit cannot stand together | keep this one");
    CHECK(compose_service_problems("cpu_quota: 50000\n    deploy: { resources: { limits: { memory: 1g } } }") == "");
    CHECK(compose_service_problems("cpu_quota: ''\n    mem_limit: ''\n    deploy: { resources: { limits: { cpus: 2, memory: 1g } } }") == "");
}

TEST_CASE("limits are told of by the names they have in the file", "[pipeline][compose]")
{
    const auto of_limits = [](const std::string& limits) { return compose_service_problems("deploy: { resources: { limits: { " + limits + " } } }"); };
    CHECK(of_limits("memory: , cpus: ") == "");
    CHECK(of_limits("memory: [1g]") == "4:46 'memory' must be a size, not a list");
    CHECK(of_limits("memroy: 1g") == "4:38 unknown key 'memroy' in limits of a service | did you mean 'memory'?");
    CHECK(of_limits("devices: [a]") == "4:38 'devices' of limits is not supported in a Compose file");
}

TEST_CASE("an expression in a Compose file is one problem", "[pipeline][compose]")
{
    const auto parsed = parse_compose("services: { s: { image: i, environment: { A: \"$${{ x }} ${{ y\" } } }\n");
    CHECK(parsed.diagnostics.size() == 1);
    CHECK(check(parsed.definition).empty());
}

TEST_CASE("lists and maps of nothing say nothing", "[pipeline][compose]")
{
    CHECK(compose_service_problems("external_links: []\n    group_add: []\n    annotations: {}\n    gpus: []") == "");
    CHECK(compose_service_problems("network_mode: none\n    networks: {}") == "");
    CHECK(compose_service_problems("network_mode: none\n    networks: []") == "");
}

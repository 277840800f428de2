#include "pipeline/checks.hpp"
#include "pipeline/frontend/compose_support.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

// Under which names, and at which ports of the host, services of a Compose file are found.

TEST_CASE("a further name means one service", "[pipeline][compose]")
{
    const std::string hint = " | in a pipeline a name means the same to all services";
    const std::string services = "services:\n  db1: { image: i }\n  db2: { image: i }\n";
    CHECK(compose_problems(services + "  app1: { image: i, links: ['db1:database'] }\n  app2: { image: i, links: ['db2:database'] }\n") ==
          "5:29 'database' is a further name of the service 'db1', too" + hint);
    CHECK(compose_problems(services + "  c: { image: i, container_name: db1 }\n") == "4:34 'db1' is the name of another service" + hint);
    CHECK(compose_problems(services + "  c: { image: i, container_name: d }\n  e: { image: i, container_name: d }\n") ==
          "5:34 'd' is a further name of the service 'c', too" + hint);
    CHECK(compose_problems(services + "  c: { image: i, container_name: d, links: ['db1:d'] }\n") ==
          "4:45 'd' is a further name of the service 'c', too" + hint);
    const std::string same = "  c: { image: i, container_name: d, links: ['db1:a', 'db2:b'] }\n  e: { image: i, links: ['c:d', 'db1:a'] }\n";
    CHECK(compose_problems(services + same) == "");
    // Replicas have their names, and a path says of which service a name is, as what it hides depends on that.
    CHECK(compose_problems(services + "  r: { image: i, scale: 2 }\n  o: { image: i, container_name: r-1 }\n") ==
          "5:34 'r-1' is a further name of the service 'r', too" + hint);
    CHECK(parse_compose(services + "  c: { image: i, container_name: db1 }\n").diagnostics.at(0).path == "services.c.container_name");
    CHECK(parse_compose(services + "  a: { image: i, links: ['db1:x'] }\n  b: { image: i, links: ['db2:x'] }\n").diagnostics.at(0).path ==
          "services.b.links");
    // It has no name in the network of the host.
    CHECK(compose_problems(services + "  c: { image: i, container_name: db1, network_mode: host }\n") == "");
    // Of a network, an alias may mean several on purpose.
    CHECK(compose_problems("services:\n  a: &a { image: i, networks: { default: { aliases: [x] } } }\n  b: *a\n") == "");
}

TEST_CASE("further names are names of hosts, and are told of where they stand", "[pipeline][compose]")
{
    const std::string rule = " is not the name of a host | letters, digits, '-', '_' and '.', at most 64 of them";
    CHECK(compose_service_problems("container_name: \"x y\"") == "4:21 'x y'" + rule);
    CHECK(compose_problems("services: { b: { image: i }, s: { image: i, links: [\"b:b b\"] } }\n") == "1:53 'b b'" + rule);
    const Files files{{".gantry.yml", "env: { N: \"${{ branch }}\" }\nimage: x\ncompose: compose.yml\nsteps: [x]\n"}};
    CHECK(compose_service_problems("container_name: $N", files) == "4:21 '${{ }}' is not computed here | write the value itself");
}

TEST_CASE("replicas share a range of ports of the host that has one for each", "[pipeline][compose]")
{
    const auto of_ports = [](const std::string& ports) { return compose_service_problems("scale: 2\n    ports: [" + ports + "]"); };
    CHECK(of_ports("'8080-8089:80'") == "");
    CHECK(of_ports("'8080-8081:80'") == "");
    CHECK(of_ports("{ target: 80, published: 8080-8089 }") == "");
    CHECK(of_ports("80, all") == "");
    const std::string hint = " | leave the port of the host out, and the engine picks one for each";
    CHECK(of_ports("'80:80'") == "5:13 2 containers cannot have one port of the host" + hint);
    CHECK(of_ports("'80-81:80-81'") == "5:13 2 containers cannot have one port of the host" + hint);
    CHECK(compose_service_problems("scale: 3\n    ports: ['8080-8081:80']") == "5:13 3 containers cannot share 2 ports of the host" + hint);
    const auto parsed = parse_compose("services: { s: { image: i, scale: 2, ports: ['8080-8089:80'] } }\n");
    CHECK(check(parsed.definition).empty());
}

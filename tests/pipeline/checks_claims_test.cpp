#include "pipeline/checks.hpp"

#include "pipeline/native_support.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

// What two services, or two networks, ask for at the same time.

namespace {

using Said = std::vector<std::string>;

// "line:column message" of each problem that `gantry check` finds.
Said claims_of(const std::string& text, Files files = {})
{
    files[".gantry.yml"] = text;
    Said said;
    for (const auto& problem : check(parse_files(files)))
        said.push_back(std::to_string(problem.mark.line) + ":" + std::to_string(problem.mark.column) + " " + problem.message);
    return said;
}

Said of_services(const std::string& services) { return claims_of("image: a\nsteps: [x]\nnetworks: { n: { ipam: { config: [{ subnet: 10.8.0.0/16 }, "
                                                               "{ subnet: \"fd00::/64\" }] } }, in: { internal: true } }\nservices:\n" + services); }

Said of_networks(const std::string& networks) { return claims_of("image: a\nsteps: [x]\nnetworks:\n" + networks); }

std::string two_ports(const std::string& one, const std::string& other)
{
    return "  one: { image: a, ports: [" + one + "] }\n  two: { image: a, ports: [" + other + "] }\n";
}

} // namespace

TEST_CASE("a port of the host is published once at a time", "[checks]")
{
    CHECK(of_services(two_ports("\"8080:80\"", "\"1:1\", \"8080:8080\"")) == Said{"6:35 port 8080 of the host is published by service 'one', too"});
    CHECK(of_services(two_ports("\"8000-8010:80-90\"", "{ target: 1, published: 8005 }")) ==
          Said{"6:28 port 8005 of the host is published by service 'one', too"});
    CHECK(of_services(two_ports("\"8000-8002:1-3\"", "\"8002-8004:1-3\"")) == Said{"6:28 port 8002 of the host is published by service 'one', too"});
    CHECK(of_services(two_ports("\"8080:80\"", "\"127.0.0.1:8080:80\"")).size() == 1);
    CHECK(of_services(two_ports("\"0.0.0.0:8080:80\"", "\"127.0.0.1:8080:80\"")).size() == 1);
    CHECK(of_services(two_ports("\"[::1]:8080:80\"", "\"[0:0::1]:8080:80\"")).size() == 1);
    CHECK(of_services(two_ports("\"8080:80\", \"8080:81\"", "")) == Said{"5:39 port 8080 of the host is published by this service, too"});
    CHECK(of_services(two_ports("\"8080:80\", \"8080:80\"", "")) == Said{"5:39 port 8080 of the host is published by this service, too"});
}

TEST_CASE("ports of the host that do not meet are published", "[checks]")
{
    CHECK(of_services(two_ports("80", "80")) == Said{});
    CHECK(of_services(two_ports("\"8080:80\"", "\"8081:80\"")) == Said{});
    CHECK(of_services(two_ports("\"8080:80\"", "\"8080:80/udp\"")) == Said{});
    CHECK(of_services(two_ports("\"127.0.0.1:8080:80\"", "\"127.0.0.2:8080:80\"")) == Said{});
    CHECK(of_services(two_ports("\"0.0.0.0:8080:80\"", "\"[::]:8080:80\"")) == Said{});
    CHECK(of_services(two_ports("\"8000-8010:80\"", "\"8000-8010:80\"")) == Said{});
    CHECK(of_services("  one: { image: a, ports: [\"8080:80\"] }\n  two: { image: a, network_mode: host, ports: [\"8080:80\"] }\n") ==
          Said{"6:40 'ports' and 'network_mode: host' cannot stand together"});
    CHECK(of_services("  one: { image: a, ports: [\"8080:80\"] }\n"
                      "  two: { image: a, networks: [in], ports: [\"8080:80\"] }\n").size() == 1); // that it is not published
}

TEST_CASE("what has ended before another begins leaves it its port and its address", "[checks]")
{
    const std::string first = "  first: { image: a, ports: [\"8080:80\"], networks: { n: { ipv4_address: 10.8.0.5 } } }\n";
    const std::string last = "  last: { image: a, ports: [\"8080:80\"], networks: { n: { ipv4_address: 10.8.0.5 } }, depends_on: ";
    const std::string middle = "  middle: { image: a, depends_on: { first: { condition: service_completed_successfully } } }\n";
    CHECK(of_services(first + last + "{ first: { condition: service_completed_successfully } } }\n") == Said{});
    CHECK(of_services(first + middle + last + "[middle] }\n") == Said{});
    CHECK(of_services(first + last + "[first] }\n").size() == 2);
    CHECK(of_services(first + "  middle: { image: a, depends_on: [first] }\n" + last +
                      "{ middle: { condition: service_completed_successfully } } }\n").size() == 2);
}

TEST_CASE("a fixed address is one container's", "[checks]")
{
    const auto attached = [](const std::string& one, const std::string& other) {
        return "  one: { image: a, networks: { n: { " + one + " } } }\n  two: { image: a, networks: { n: { " + other + " } } }\n";
    };
    CHECK(of_services(attached("ipv4_address: 10.8.0.5", "ipv4_address: 10.8.0.5")) ==
          Said{"6:32 '10.8.0.5' in the network 'n' is the address of service 'one', too"});
    CHECK(of_services(attached("ipv6_address: \"fd00::5\"", "ipv6_address: \"fd00:0::5\"")) ==
          Said{"6:32 'fd00:0::5' in the network 'n' is the address of service 'one', too"});
    CHECK(of_services(attached("ipv4_address: 10.8.0.5", "ipv4_address: 10.8.0.6")) == Said{});
    CHECK(claims_of("image: a\nsteps: [x]\nnetworks: { n: { external: true }, m: { external: true } }\nservices:\n"
                  "  one: { image: a, networks: { n: { ipv4_address: 10.8.0.5 } } }\n"
                  "  two: { image: a, networks: { m: { ipv4_address: 10.8.0.5 } } }\n") == Said{});
}

TEST_CASE("replicas cannot share a fixed address, which is told once", "[checks]")
{
    const std::string compose = "services:\n  web:\n    image: a\n    scale: 3\n    networks:\n      n: { ipv4_address: 10.8.0.5 }\n"
                                "networks: { n: { ipam: { config: [{ subnet: 10.8.0.0/16 }] } } }\n";
    CHECK(claims_of("image: a\ncompose: c.yml\nsteps: [x]\n", {{"c.yml", compose}}) ==
          Said{"6:7 '10.8.0.5' in the network 'n' is the address of service 'web-1', too"});
}

TEST_CASE("gateway and ip_range are in their subnet", "[checks]")
{
    const auto config = [](const std::string& keys) { return of_networks("  n: { ipam: { config: [{ " + keys + " }] } }\n"); };
    CHECK(config("subnet: 10.8.0.0/24, gateway: 10.8.0.1, ip_range: 10.8.0.128/25") == Said{});
    CHECK(config("subnet: 10.8.0.0/24, gateway: 10.8.1.1") == Said{"4:48 '10.8.1.1' is not in the subnet 10.8.0.0/24"});
    CHECK(config("subnet: 10.8.0.0/24, gateway: \"fd00::1\"") == Said{"4:48 'fd00::1' is not in the subnet 10.8.0.0/24"});
    CHECK(config("subnet: 10.8.0.0/24, ip_range: 10.8.0.0/23") == Said{"4:48 '10.8.0.0/23' is not in the subnet 10.8.0.0/24"});
    CHECK(config("subnet: 10.8.0.0/24, ip_range: 10.8.1.0/25") == Said{"4:48 '10.8.1.0/25' is not in the subnet 10.8.0.0/24"});
    CHECK(config("subnet: 0.0.0.0/24, gateway: 10.8.0.1, ip_range: 10.8.0.128/25") == Said{});
    CHECK(of_networks("  n: { external: true, ipam: { config: [{ subnet: 10.8.0.0/24, gateway: 10.9.0.1 }] } }\n") ==
          Said{"4:24 'ipam' and 'external: true' cannot stand together"});
}

TEST_CASE("subnets of networks that are there together do not overlap", "[checks]")
{
    const auto pair = [](const std::string& one, const std::string& other, const std::string& uses = "") {
        return of_networks("  n: { ipam: { config: [{ subnet: 10.8.0.0/16 }] }" + one + " }\n"
                           "  m: { ipam: { config: [{ subnet: 10.8.1.0/24 }] }" + other + " }\n" + uses);
    };
    const Said met{"5:27 10.8.1.0/24 overlaps with 10.8.0.0/16 of the network 'n'"};
    CHECK(pair("", "") == met);
    CHECK(pair(", scope: stage", "") == met);
    CHECK(pair(", scope: stage", ", scope: stage") == Said{});
    CHECK(pair(", scope: stage", ", scope: stage", "services: { s: { image: a, networks: [n, m] } }\n") == met);
    CHECK(pair(", external: true", "") == Said{"4:8 'ipam' and 'external: true' cannot stand together"});
    CHECK(pair(", driver: overlay", "") == Said{});
    CHECK(of_networks("  n: { ipam: { config: [{ subnet: 10.8.0.0/24 }] } }\n  m: { ipam: { config: [{ subnet: 10.8.1.0/24 }] } }\n") == Said{});
    CHECK(of_networks("  n: { ipam: { config: [{ subnet: 0.0.0.0/24 }] } }\n  m: { ipam: { config: [{ subnet: 0.0.0.0/24 }] } }\n") == Said{});
    CHECK(of_networks("  n:\n    ipam:\n      config:\n        - { subnet: 10.8.0.0/24 }\n        - { subnet: \"fd00::/64\" }\n"
                      "        - { subnet: 10.8.0.128/25 }\n") == Said{"9:13 10.8.0.128/25 overlaps with 10.8.0.0/24 of this network"});
}

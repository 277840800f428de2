#include "runner/ports.hpp"

#include "pipeline/expression.hpp"
#include "pipeline/scope.hpp"
#include "support/catch.hpp"

using namespace gantry;

namespace {

std::string computed(const std::string& expression, const pipeline::RuntimeFacts& facts)
{
    static const pipeline::Event event;
    static const pipeline::PlanStage stage;
    std::optional<pipeline::SplitError> wrong;
    const auto text = pipeline::split_text("${{ " + expression + " }}", {}, &wrong);
    std::string error;
    const auto resolved = pipeline::resolve(text, pipeline::make_scope(event, stage, &facts), &error);
    return resolved.is_literal() ? resolved.literal() : "unknown";
}

} // namespace

TEST_CASE("of several addresses of a published port IPv4's counts, and what is not published is left out", "[ports]")
{
    engine::ContainerStatus status;
    status.ports = {{80, "tcp", "::", 1001}, {80, "tcp", "0.0.0.0", 1002}, {80, "tcp", "127.0.0.1", 1003}, {53, "udp", "::", 1004}, {90, "tcp", "", 0}};

    const auto ports = runner::published_ports(status);

    CHECK(ports == std::map<std::string, std::string>{{"53/udp", "1004"}, {"80/tcp", "1002"}});
    CHECK(runner::describe_ports(ports) == "53/udp at port 1004, 80/tcp at port 1002");
    CHECK(runner::describe_ports({{"key", "value"}}).empty());
}

TEST_CASE("expressions read ports of steps and services by the port inside, and outputs without them", "[ports]")
{
    pipeline::RuntimeFacts facts;
    facts.steps["one"].outputs = {{"80/tcp", "1002"}, {"53/udp", "1004"}, {"key", "value"}};
    facts.services["web"] = {"nginx", {{"80/tcp", "1005"}}, ""};

    CHECK(computed("steps.one.ports[80]", facts) == "1002");
    CHECK(computed("steps.one.ports['53/udp']", facts) == "1004");
    CHECK(computed("steps.one.ports[81]", facts) == "");
    CHECK(computed("steps.one.outputs['80/tcp']", facts) == "");
    CHECK(computed("steps.one.outputs.key", facts) == "value");
    CHECK(computed("services.web.ports['80']", facts) == "1005");
    CHECK(computed("services.web.image", facts) == "nginx");
    CHECK(computed("services.db.ports[80]", facts) == "unknown");
}

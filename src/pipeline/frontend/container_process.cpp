#include "pipeline/frontend/container_types.hpp"

#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

// healthcheck, limits, logging.

namespace gantry::pipeline::native {

namespace {

// A shell command as text, or [CMD, …], [CMD-SHELL, …], [NONE].
struct HealthTestType {
    using Value = std::vector<std::string>;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (node.is_scalar()) {
            std::string command;
            if (!ScalarType::read(reader, node, command))
                return false;
            value = {"CMD-SHELL", std::move(command)};
            return true;
        }
        if (!ListType<ScalarType>::read(reader, node, value))
            return false;
        const auto words = node.items.size(); // of which some may be refused
        const bool is_read = words == 0 || (!value.empty() && value[0] == node.items[0]->text);
        const bool known = is_read && words > 0 &&
                           ((value[0] == "NONE" && words == 1) || ((value[0] == "CMD" || value[0] == "CMD-SHELL") && words > 1));
        if (is_read && !known)
            reader.error(node, "bad-value", "a health test starts with CMD, CMD-SHELL or NONE",
                         "write [CMD, pg_isready], or one text for the shell");
        return known;
    }
    static Out write(const Value& value) { return ListType<ScalarType>::write(value); }
    static Out schema(SchemaBuilder& builder)
    {
        Out list = Out::map({{"type", Out("array")},
                             {"prefixItems", Out::list({Out::map({{"enum", Out::list({"CMD", "CMD-SHELL", "NONE"})}})})},
                             {"items", ScalarType::schema(builder)},
                             {"minItems", Out(1)},
                             {"examples", Out::list({Out::list({"CMD", "pg_isready"})})}});
        return either_schema({Out::map({{"type", Out("string")}}), std::move(list)});
    }
};

const ObjectKeys& healthcheck_keys()
{
    static const Key rows[] = {
        key<HealthTestType, &Healthcheck::test>("test", "The command that succeeds when all is well; absent: the image's."),
        key<DurationType, &Healthcheck::interval>("interval", "Time between two checks."),
        key<DurationType, &Healthcheck::timeout>("timeout", "How long one check may take."),
        key<DurationType, &Healthcheck::start_period>("start_period", "Time in which failed checks do not count."),
        key<DurationType, &Healthcheck::start_interval>("start_interval", "Time between two checks during start_period."),
        key<IntegerType<int, 0, 1000000>, &Healthcheck::retries>("retries", "Failed checks in a row that make it unhealthy."),
        key<BooleanType, &Healthcheck::disable>("disable", "No health check, whatever the image says."),
    };
    static const ObjectKeys keys{"healthcheck", "a healthcheck", {{rows}}};
    return keys;
}

using Limit = IntegerType<std::int64_t, -1>;

const ObjectKeys& ulimit_keys()
{
    static const Key rows[] = {
        key<Limit, &Ulimit::soft>("soft", "The limit that applies."),
        key<Limit, &Ulimit::hard>("hard", "As far as the process may raise it."),
    };
    static const ObjectKeys keys{"ulimit", "a ulimit", {{rows}}, {"soft", "hard"}};
    return keys;
}

// Of setrlimit(2), as the engine's runtime looks them up: RLIMIT_ and the name in capitals.
void check_limit_name(Reader& reader, const Node& key)
{
    static const std::vector<std::string> names = {"as",       "core",  "cpu",    "data", "fsize",  "locks",  "memlock",    "msgqueue",
                                                   "nice",     "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};
    const auto name = to_lower(key.text);
    if (std::find(names.begin(), names.end(), name) != names.end() || reader.is_full())
        return;
    const auto meant = name.size() <= 40 ? nearest(name, names) : std::nullopt;
    reader.error(key, "bad-value", fmt::format("there is no limit '{}'", clip(key.text)),
                 meant ? fmt::format("did you mean '{}'?", *meant) : "one of: " + join(names, ", "));
}

void check_sysctl(Reader& reader, const Node& at, std::string_view name)
{
    if (name.find("${{") != std::string_view::npos)
        return; // told of as a name
    if (dotted_sysctl(name) == "kernel.hostname")
        reader.error(at, "bad-value", fmt::format("'{}' is set by another key", clip(name)), "write hostname: NAME, in a step or a service");
    else
        keeps_rule(reader, at, k_sysctl_rule, name);
}

const ObjectKeys& logging_keys()
{
    static const Key rows[] = {
        key<StringType, &Logging::driver>("driver", "The log driver, such as json-file or local."),
        key<SortedType<MapType<ScalarType>>, &Logging::options>("options", "The driver's options, such as max-size and max-file."),
    };
    static const ObjectKeys keys{"logging", "logging", {{rows}}};
    return keys;
}

} // namespace

bool HealthcheckType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = reader.key_mark();
    return read_object(reader, node, healthcheck_keys(), &value);
}

Out HealthcheckType::write(const Value& value) { return write_object(healthcheck_keys(), &value); }

Out HealthcheckType::schema(SchemaBuilder& builder) { return builder.ref(healthcheck_keys()); }

bool UlimitType::read(Reader& reader, const Node& node, Value& value)
{
    if (node.is_map()) {
        if (!read_object(reader, node, ulimit_keys(), &value) || !node.find("soft") || !node.find("hard"))
            return false; // which has been said
        if (value.hard == -1 || (value.soft != -1 && value.soft <= value.hard))
            return true;
        reader.error(node, "bad-value", fmt::format("the soft limit {} is above the hard limit {}", value.soft, value.hard));
        return false;
    }
    const bool good = Limit::read(reader, node, value.soft);
    value.hard = value.soft;
    return good;
}

bool UlimitsType::read(Reader& reader, const Node& node, Value& value)
{
    for (std::size_t i = 0; node.is_map() && i < node.pairs(); ++i) {
        const Reader::Inside inside(reader, node.key(i));
        check_limit_name(reader, node.key(i));
    }
    return SortedType<MapType<UlimitType>>::read(reader, node, value);
}

bool SysctlsType::read(Reader& reader, const Node& node, Value& value)
{
    for (std::size_t i = 0; node.is_map() && i < node.pairs(); ++i) {
        const Reader::Inside inside(reader, node.key(i));
        check_sysctl(reader, node.key(i), node.key(i).text);
    }
    for (std::size_t i = 0; node.is_list() && i < node.items.size(); ++i) {
        const Reader::Inside inside(reader, i);
        check_sysctl(reader, *node.items[i], std::string_view(node.items[i]->text).substr(0, node.items[i]->text.find('=')));
    }
    return SortedType<FixedAssignmentsType>::read(reader, node, value);
}

Out UlimitType::write(const Value& value)
{
    if (value.soft == value.hard)
        return Out(value.soft);
    return Out::map({{"soft", Out(value.soft)}, {"hard", Out(value.hard)}});
}

Out UlimitType::schema(SchemaBuilder& builder)
{
    return either_schema({integer_schema(-1, INT64_MAX), builder.ref(ulimit_keys())});
}

bool MemoryType::read(Reader& reader, const Node& node, Value& value)
{
    constexpr std::uint64_t k_least = 6 << 20; // Docker: what a container needs to start
    if (!SizeType::read(reader, node, value))
        return false;
    const bool good = value == 0 || value >= k_least;
    if (!good)
        reader.error(node, "bad-value", fmt::format("{} is less memory than a container can have", clip(node.text)), "write 6m or more");
    return good;
}

bool CpuSharesType::read(Reader& reader, const Node& node, Value& value)
{
    constexpr std::int64_t k_least = 2, k_most = 262'144; // of the kernel (runc: MinShares, MaxShares)
    if (!IntegerType::read(reader, node, value))
        return false;
    const bool good = value == 0 || (value >= k_least && value <= k_most);
    if (!good)
        reader.error(node, "bad-value", fmt::format("{} is not a share of CPU time that there is", value), "write 2 to 262144; 1024 is usual");
    return good;
}

bool LoggingType::read(Reader& reader, const Node& node, Value& value) { return read_object(reader, node, logging_keys(), &value); }

Out LoggingType::write(const Value& value) { return write_object(logging_keys(), &value); }

Out LoggingType::schema(SchemaBuilder& builder) { return builder.ref(logging_keys()); }

} // namespace gantry::pipeline::native

#include "pipeline/build_values.hpp"
#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"
#include "pipeline/expression.hpp"

#include <fmt/format.h>

#include <algorithm>

// retry, concurrency, push and settings.

namespace gantry::pipeline::native {

namespace {

// ---- retry

const Words k_causes{{"always", "infra", "failure", "timeout", "oom", "killed_by_signal", "service_unhealthy", "image_error",
                      "checkout_error", "engine_lost", "agent_lost", "disk_full", "internal"},
                     "a reason to try again"};

using Cause = WordType<k_causes>;
using ExitCodes = OneOrListType<IntegerType<int, 0, 255>>;

const ObjectKeys& exit_codes_keys()
{
    static const Key rows[] = {key<ExitCodes, &Retry::exit_codes>("exit_codes", "Exit codes of the step.")};
    static const ObjectKeys keys{"retry_exit_codes", "a reason to try again", {{rows}}, {"exit_codes"}};
    return keys;
}

// [infra, timeout, exit_codes: [75]]
struct ReasonsType {
    using Value = Retry;
    static bool read_one(Reader& reader, const Node& node, Retry& retry)
    {
        if (node.is_map()) {
            Retry codes;
            if (!read_object(reader, node, exit_codes_keys(), &codes))
                return false;
            retry.exit_codes.insert(retry.exit_codes.end(), codes.exit_codes.begin(), codes.exit_codes.end());
            return true;
        }
        std::string cause;
        const bool good = Cause::read(reader, node, cause);
        if (good)
            retry.when.push_back(std::move(cause));
        return good;
    }
    static bool read(Reader& reader, const Node& node, Retry& retry)
    {
        if (!node.is_list())
            return read_one(reader, node, retry);
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            const Reader::Inside inside(reader, i);
            read_one(reader, *node.items[i], retry);
        }
        return true;
    }
    static Out write(const Retry& retry)
    {
        Out list = ListType<Cause>::write(retry.when);
        if (!retry.exit_codes.empty())
            list.add(Out::map({{"exit_codes", ListType<IntegerType<int, 0, 255>>::write(retry.exit_codes)}}));
        return list.items.empty() ? Out() : list;
    }
    static Out schema(SchemaBuilder& builder)
    {
        const Out reason = either_schema({Cause::schema(builder), builder.ref(exit_codes_keys())});
        return either_schema({Cause::schema(builder), builder.ref(exit_codes_keys()), list_schema(reason)});
    }
};

using Attempts = IntegerType<int, 0, 100>;

const ObjectKeys& retry_keys()
{
    static const Key rows[] = {
        key<Attempts, &Retry::max>("max", "Further attempts after the first."),
        whole<ReasonsType>("when", "Reasons to try again; absent: infra and failure."),
        key<DurationType, &Retry::backoff>("backoff", "Time before the first retry; it doubles with each."),
    };
    static const ObjectKeys keys{"retry", "retry", {{rows}}, {"max"}};
    return keys;
}

// ---- concurrency

const ObjectKeys& concurrency_keys()
{
    static const Key rows[] = {
        key<FilledTextType, &Concurrency::group>("group", "Runs of one group wait for each other."),
        key<IntegerType<int, 1, 1000000>, &Concurrency::limit>("limit", "How many may run at a time (default 1)."),
        key<BooleanType, &Concurrency::cancel_in_progress>("cancel_in_progress", "A new one cancels those that run."),
    };
    static const ObjectKeys keys{"concurrency", "concurrency", {{rows}}, {"group"}};
    return keys;
}

// ---- push

using PushNames = OneOrListType<RuledTextType<k_tag_rule, FilledTextType>>;

const ObjectKeys& push_keys()
{
    static const Key rows[] = {
        key<FilledTextType, &Push::image>("image", "The image to push; absent: the one that this step builds."),
        key<PushNames, &Push::tags>("tags", "Names to push it under."),
    };
    static const ObjectKeys keys{"push", "push", {{rows}}, {}, {}, {"image", "tags"}};
    return keys;
}

// ---- settings

void json_text(std::string_view text, std::string& to)
{
    std::string json = print_json(Out(text));
    json.pop_back(); // its newline
    to += json;
}

void as_json(const Node& node, std::string& to)
{
    if (node.is_null()) {
        to += "null";
    } else if (node.is_scalar()) {
        if (node.is_plain() && is_core_boolean(node.text))
            to += to_lower(node.text);
        else if (node.is_plain() && is_core_number(node.text) && node.text.find_first_not_of("0123456789") == std::string::npos &&
                 (node.text.size() == 1 || node.text[0] != '0'))
            to += node.text;
        else
            json_text(node.text, to);
    } else {
        to += node.is_map() ? '{' : '[';
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            to += i == 0 ? "" : node.is_map() && i % 2 == 1 ? ":" : ",";
            if (node.is_map() && i % 2 == 0)
                json_text(node.items[i]->text, to);
            else
                as_json(*node.items[i], to);
        }
        to += node.is_map() ? '}' : ']';
    }
}

bool all_scalars(const Node& list)
{
    return std::all_of(list.items.begin(), list.items.end(), [](const Node* item) { return item->is_scalar(); });
}

std::optional<Text> setting(Reader& reader, const Node& node)
{
    if (node.is_scalar())
        return reader.text(node, true);
    if (node.is_null()) {
        reader.error(node, "bad-value", "a setting needs a value", "write \"\" for empty text");
        return std::nullopt;
    }
    if (node.is_map() && node.find("from_secret")) {
        reader.error(node, "bad-value", "'from_secret' has no meaning here",
                     fmt::format("write secrets: {{ PLUGIN_…: {} }} in the step", clip(node.find("from_secret")->text)));
        return std::nullopt;
    }
    std::string text;
    if (node.is_list() && all_scalars(node))
        for (std::size_t i = 0; i < node.items.size(); ++i)
            text += (i == 0 ? "" : ",") + node.items[i]->text;
    else
        as_json(node, text);
    auto [split, problems] = split_text(text, node.mark);
    for (auto& problem : problems)
        reader.error(node, "expression", std::move(problem.message));
    return std::move(split);
}

} // namespace

bool RetryType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = reader.key_mark();
    return node.is_map() ? read_object(reader, node, retry_keys(), &value) : Attempts::read(reader, node, value.max);
}

Out RetryType::write(const Value& value)
{
    Out map = Out::map({{"max", Out(value.max)}});
    for (auto& [name, item] : write_object(retry_keys(), &value).pairs)
        map.set(name, std::move(item));
    return map.pairs.size() == 1 ? Out(value.max) : map;
}

Out RetryType::schema(SchemaBuilder& builder)
{
    return either_schema({Attempts::schema(builder), builder.ref(retry_keys())});
}

bool ConcurrencyType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = reader.key_mark();
    return node.is_scalar() ? FilledTextType::read(reader, node, value.group) : read_object(reader, node, concurrency_keys(), &value);
}

Out ConcurrencyType::write(const Value& value) { return write_object(concurrency_keys(), &value); }

Out ConcurrencyType::schema(SchemaBuilder& builder)
{
    return either_schema({FilledTextType::schema(builder), builder.ref(concurrency_keys())});
}

bool PushType::read(Reader& reader, const Node& node, Value& value)
{
    Push push;
    push.mark = reader.key_mark();
    bool good = true;
    if (node.is_map())
        good = read_object(reader, node, push_keys(), &push);
    else if (node.is_list() || (node.is_scalar() && !(node.is_plain() && is_core_boolean(node.text))))
        good = PushNames::read(reader, node, push.tags);
    else
        good = BooleanType::read(reader, node, push.all_tags);
    if (good && (push.all_tags || push.image || !push.tags.empty()))
        value = std::move(push);
    return good;
}

Out PushType::write(const Push& value) { return value.all_tags ? Out(true) : write_object(push_keys(), &value); }

Out PushType::schema(SchemaBuilder& builder)
{
    return either_schema({Out::map({{"type", Out("boolean")}}), PushNames::schema(builder), builder.ref(push_keys())});
}

bool SettingsType::read(Reader& reader, const Node& node, Value& value)
{
    if (!node.is_map()) {
        reader.wrong_type(node, "a map (key: value)");
        return false;
    }
    for (std::size_t i = 0; i < node.pairs(); ++i) {
        const Reader::Inside inside(reader, node.key(i));
        if (!check_variable_name(reader, node.key(i), node.key(i).text))
            continue;
        if (auto text = setting(reader, node.value(i)))
            value.emplace_back(node.key(i).text, std::move(*text));
    }
    return true;
}

Out SettingsType::schema(SchemaBuilder&)
{
    Out schema = Out::map({{"type", Out("object")}});
    schema.set("propertyNames", Out::map({{"pattern", Out("^[^= ]+$")}}));
    schema.set("additionalProperties", Out::map({{"type", Out::list({"string", "number", "boolean", "array", "object"})}}));
    return schema;
}

} // namespace gantry::pipeline::native

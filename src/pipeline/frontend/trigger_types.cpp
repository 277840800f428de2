#include "pipeline/cron.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

// on: what starts a pipeline.

namespace gantry::pipeline::native {

namespace {

using Globs = OneOrListType<NameType>;

struct PathsType {
    using Value = PathFilter;
    static bool read(Reader& reader, const Node& node, Value& value) { return Globs::read(reader, node, value.patterns); }
    static Out write(const Value& value) { return Globs::write(value.patterns); }
    static Out schema(SchemaBuilder& builder) { return Globs::schema(builder); }
};

const ObjectKeys& push_trigger_keys()
{
    static const Key rows[] = {
        key<Globs, &PushTrigger::branches>("branches", "Globs of branches."),
        key<Globs, &PushTrigger::tags>("tags", "Globs of tags."),
        key<PathsType, &PushTrigger::paths>("paths", "Globs of changed files; '!' takes out; the last match decides."),
    };
    static const ObjectKeys keys{"push_trigger", "the trigger push", {{rows}}};
    return keys;
}

const ObjectKeys& pull_request_trigger_keys()
{
    static const Key rows[] = {
        key<Globs, &PullRequestTrigger::branches>("branches", "Globs of target branches."),
        key<PathsType, &PullRequestTrigger::paths>("paths", "Globs of changed files; '!' takes out; the last match decides."),
    };
    static const ObjectKeys keys{"pull_request_trigger", "the trigger pull_request", {{rows}}};
    return keys;
}

// An object that may be left empty: `push:`.
template <class Struct, const ObjectKeys& (*Keys)()> struct MaybeEmptyType : ObjectType<Struct, Keys> {
    static bool read(Reader& reader, const Node& node, Struct& value)
    {
        return node.is_null() || read_object(reader, node, Keys(), &value);
    }
    static Out schema(SchemaBuilder& builder) { return either_schema({Out::map({{"type", Out("null")}}), builder.ref(Keys())}); }
};

// ---- schedule

struct CronType : StringType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (!StringType::read(reader, node, value))
            return false;
        const auto problem = cron_problem(value);
        if (problem && problem->offset)
            reader.error_inside(node, *problem->offset, "bad-value", problem->message, problem->hint);
        else if (problem)
            reader.error(node, "bad-value", problem->message, problem->hint);
        return !problem;
    }
    static Out schema(SchemaBuilder&)
    {
        return Out::map({{"type", Out("string")}, {"pattern", Out(R"(^ *([^ ]+ +){4}[^ ]+ *$)")}, {"examples", Out::list({"0 3 * * *"})}});
    }
};

struct TimeZoneType : NameType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (!NameType::read(reader, node, value))
            return false;
        const bool good = is_time_zone(value);
        if (!good)
            reader.error(node, "bad-value", fmt::format("'{}' is not a time zone", clip(value)), "write UTC, or Area/Place such as Europe/Berlin");
        return good;
    }
};

const ObjectKeys& schedule_keys()
{
    static const Key rows[] = {
        key<CronType, &ScheduleTrigger::cron>("cron", "Minute, hour, day, month, weekday."),
        key<TimeZoneType, &ScheduleTrigger::timezone>("timezone", "Time zone of cron (default UTC)."),
    };
    static const ObjectKeys keys{"schedule", "a schedule", {{rows}}, {"cron"}};
    return keys;
}

struct ScheduleType : ObjectType<ScheduleTrigger, schedule_keys> {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        value.mark = node.mark;
        return node.is_scalar() ? CronType::read(reader, node, value.cron) : read_object(reader, node, schedule_keys(), &value);
    }
    static Out schema(SchemaBuilder& builder) { return either_schema({CronType::schema(builder), builder.ref(schedule_keys())}); }
};

// ---- manual

const Words k_input_types{{"string", "boolean", "number", "choice"}, "a type of input"};

const ObjectKeys& input_keys()
{
    static const Key rows[] = {
        key<EnumType<Input::Type, k_input_types>, &Input::type>("type", "string (default), boolean, number or choice."),
        key<StringType, &Input::description>("description", "What it is for."),
        key<ListType<ScalarType>, &Input::options>("options", "Values to choose from."),
        key<ScalarType, &Input::default_value>("default", "Value where none is given."),
        key<BooleanType, &Input::required>("required", "A value must be given."),
    };
    static const ObjectKeys keys{"input", "an input", {{rows}}};
    return keys;
}

bool check_input(Reader& reader, const Node& node, const Input& input)
{
    const bool choice = input.type == Input::Type::choice;
    const Node* value = node.find("default");
    if (choice && input.options.empty())
        reader.error(node, "missing-key", "a choice needs 'options'");
    else if (!choice && !input.options.empty())
        reader.error(*node.find("options"), "conflict", "only a choice has 'options'", "write type: choice");
    else if (!value || !input.default_value)
        return true;
    else if (choice && std::find(input.options.begin(), input.options.end(), *input.default_value) == input.options.end())
        reader.error(*value, "bad-value", fmt::format("'{}' is not one of the options", clip(*input.default_value)));
    else if (input.type == Input::Type::boolean && *input.default_value != "true" && *input.default_value != "false")
        reader.error(*value, "bad-value", fmt::format("'{}' is not a boolean", clip(*input.default_value)), "write true or false");
    else if (input.type == Input::Type::number && !is_core_number(*input.default_value))
        reader.error(*value, "bad-value", fmt::format("'{}' is not a number", clip(*input.default_value)));
    else
        return true;
    return false;
}

struct InputType : MaybeEmptyType<Input, input_keys> {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        value.mark = reader.key_mark();
        return node.is_null() || (read_object(reader, node, input_keys(), &value) && check_input(reader, node, value));
    }
};

const ObjectKeys& manual_keys()
{
    static const Key rows[] = {key<MapType<InputType>, &Triggers::inputs>("inputs", "What is asked when it is started by hand.")};
    static const ObjectKeys keys{"manual_trigger", "the trigger manual", {{rows}}};
    return keys;
}

struct ManualType { // fills the triggers it stands in
    using Value = Triggers;
    static bool read(Reader& reader, const Node& node, Triggers& triggers)
    {
        triggers.manual = true;
        return node.is_null() || read_object(reader, node, manual_keys(), &triggers);
    }
    static Out write(const Triggers& triggers) { return triggers.manual ? write_object(manual_keys(), &triggers) : Out(); }
    static Out schema(SchemaBuilder& builder) { return MaybeEmptyType<Triggers, manual_keys>::schema(builder); }
};

const ObjectKeys& trigger_keys()
{
    static const Key rows[] = {
        key<MaybeEmptyType<PushTrigger, push_trigger_keys>, &Triggers::push>("push",
                                                                             "Commits and tags that are pushed."),
        key<MaybeEmptyType<PullRequestTrigger, pull_request_trigger_keys>, &Triggers::pull_request>(
            "pull_request", "Pull requests, also called merge requests."),
        key<OneOrListType<ScheduleType>, &Triggers::schedule>("schedule", "At certain times."),
        whole<ManualType>("manual", "By hand, with inputs."),
    };
    static const ObjectKeys keys{"triggers", "'on'", {{rows}}};
    return keys;
}

const Words k_events{{"push", "pull_request", "manual"}, "an event"};

bool add_event(Reader& reader, const Node& node, Triggers& triggers)
{
    if (node.is_scalar() && node.text == "schedule") {
        reader.error(node, "bad-value", "a schedule needs its times", "write schedule: [{ cron: \"0 3 * * *\" }]");
        return false;
    }
    const auto index = read_word(reader, node, k_events);
    if (index == 0u)
        triggers.push.emplace();
    else if (index == 1u)
        triggers.pull_request.emplace();
    else if (index)
        triggers.manual = true;
    return index.has_value();
}

} // namespace

bool TriggersType::read(Reader& reader, const Node& node, Value& value)
{
    value.declared = true;
    if (node.is_scalar())
        return add_event(reader, node, value);
    if (!node.is_list())
        return read_object(reader, node, trigger_keys(), &value);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const Reader::Inside inside(reader, i);
        const auto& item = *node.items[i];
        if (item.is_map())
            read_object(reader, item, trigger_keys(), &value);
        else
            add_event(reader, item, value);
    }
    return true;
}

Out TriggersType::write(const Value& value) { return write_object(trigger_keys(), &value); }

Out TriggersType::schema(SchemaBuilder& builder)
{
    const Out item = either_schema({words_schema(k_events), builder.ref(trigger_keys())});
    return either_schema({words_schema(k_events), list_schema(item), builder.ref(trigger_keys())});
}

} // namespace gantry::pipeline::native

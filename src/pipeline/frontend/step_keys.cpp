#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

#include <algorithm>

// What a step may say, and lists of steps.

namespace gantry::pipeline::native {

namespace {

// Container name: secret name. A list of names gives each secret to the step under its own name.
struct SecretsType {
    using Value = std::vector<std::pair<std::string, std::string>>;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (!node.is_list())
            return MapType<NameType>::read(reader, node, value);
        std::vector<std::string> names;
        ListType<NameType>::read(reader, node, names);
        for (auto& name : names)
            value.emplace_back(name, name);
        return true;
    }
    static Out write(const Value& value) { return MapType<NameType>::write(value); }
    static Out schema(SchemaBuilder& builder)
    {
        return either_schema({map_schema(NameType::schema(builder)), list_schema(NameType::schema(builder))});
    }
};

constexpr const char* k_build_alone_hint = "name the step that builds; a further one runs in it with image: ${{ steps.NAME.image }}";

const ObjectKeys& step_keys()
{
    static const Key rows[] = {
        key<NameType, &Step::name>("name", "Name of the step; others refer to it as steps.<name>."),
        key<ConditionType, &Step::condition>("if", "It runs only where this holds; absent: where all before it succeeded."),
        key<RuledTextType<k_script_rule, AnyTextType>, &Step::run>("run", "A script for the shell; it ends at the first command that fails."),
        key<FixedCommandType, &Step::shell>("shell", "The shell of run, with its options: [bash, -ec]."),
        key<SettingsType, &Step::settings>("settings", "Settings of a plugin's image: each becomes PLUGIN_<NAME>."),
        key<BuildType, &Step::build>("build", "Builds an image, as Compose's build does."),
        key<PushType, &Step::push>("push", "Pushes what was built, or an image under further tags."),
        key<SecretsType, &Step::secrets>("secrets", "Secrets as variables: name of the variable: name of the secret."),
        key<MapType<NameType>, &Step::secret_files>("secret_files", "Secrets as files: path in the container: name of the secret."),
        key<RetryType, &Step::retry>("retry", "How often and when to try again."),
        key<TimeLimitType, &Step::timeout>("timeout", "How long one attempt may take."),
        key<TimeLimitType, &Step::idle_timeout>("idle_timeout", "How long it may be silent."),
        key<BooleanType, &Step::allow_failure>("allow_failure", "Its failure does not fail the stage."),
    };
    static const ObjectKeys keys{
        "step",
        "a step",
        {{rows}, container_part<Step>(in_step)},
        {},
        {{{"run", "command"}},
         {{"run", "settings"}},
         {{"run", "build"}, k_build_alone_hint},
         {{"run", "push"}, "push in a step of its own"},
         {{"build", "settings"}, k_build_alone_hint}},
        {"run", "command", "entrypoint", "settings", "build", "push", "image"},
        "write run: with the commands"};
    return keys;
}

void note_marks(const Node* entries, Marks& marks)
{
    for (std::size_t i = 0; entries && entries->is_map() && i < entries->pairs(); ++i)
        marks.emplace(entries->key(i).text, entries->key(i).mark);
    for (std::size_t i = 0; entries && entries->is_list() && i < entries->items.size(); ++i)
        marks.emplace(entries->items[i]->text, entries->items[i]->mark);
}

bool read_step(Reader& reader, const Node& node, Step& step)
{
    step.mark = node.mark;
    if (!node.is_map()) {
        Text script;
        if (!node.is_scalar())
            return read_object(reader, node, step_keys(), &step);
        if (!AnyTextType::read(reader, node, script))
            return false;
        step.run = std::move(script);
        return true;
    }
    if (const Node* name = node.find("name"))
        step.mark = name->mark;
    if (const Node* shell = node.find("shell"))
        step.shell_mark = shell->mark;
    note_marks(node.find("secrets"), step.secret_marks);
    note_marks(node.find("secret_files"), step.secret_file_marks);
    note_marks(node.find("settings"), step.setting_marks);
    return read_object(reader, node, step_keys(), &step);
}

bool read_group(Reader& reader, const Node& node, StepGroup& group)
{
    for (std::size_t i = 0; i < node.pairs(); ++i) {
        const auto& key = node.key(i);
        const Reader::Inside inside(reader, key);
        if (key.text != "parallel" && key.text.substr(0, 2) != "x-")
            reader.error(key, "conflict", fmt::format("'{}' cannot stand beside 'parallel'", clip(key.text)),
                         "say it in each step of the group");
        if (key.text != "parallel")
            continue;
        const auto& list = node.value(i);
        if (!list.is_list()) {
            reader.wrong_type(list, "a list of steps");
            continue;
        }
        for (std::size_t item = 0; item < list.items.size(); ++item) {
            const Reader::Inside at(reader, item);
            if (list.items[item]->find("parallel"))
                reader.error(*list.items[item], "conflict", "groups of parallel steps do not nest");
            else if (!reader.count_object(*list.items[item]))
                return true;
            else if (Step step; read_step(reader, *list.items[item], step))
                group.steps.push_back(std::move(step));
        }
        if (list.items.empty())
            reader.error(key, "missing-key", "'parallel' has no steps");
    }
    return !group.steps.empty();
}

} // namespace

bool StepListType::read(Reader& reader, const Node& node, Value& value)
{
    if (!node.is_list()) {
        reader.wrong_type(node, "a list of steps", node.is_map() ? "start each step with '- '" : "write one '- run: …' for each");
        return false;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const Reader::Inside inside(reader, i);
        const auto& item = *node.items[i];
        StepGroup group;
        if (item.find("parallel")) {
            if (!read_group(reader, item, group))
                continue;
        } else if (!reader.count_object(item)) {
            return true;
        } else if (Step step; read_step(reader, item, step)) {
            group.steps.push_back(std::move(step));
        } else {
            continue;
        }
        value.push_back(std::move(group));
    }
    if (node.items.empty())
        reader.error(node, "missing-key", "the list of steps is empty", "write one '- run: …' for each");
    return true;
}

Out StepListType::write(const Value& value)
{
    Out list = Out::list();
    for (const auto& group : value) {
        Out steps = Out::list();
        for (const auto& step : group.steps)
            steps.add(write_object(step_keys(), &step));
        if (group.steps.size() == 1)
            list.add(std::move(steps.items[0]));
        else
            list.add(Out::map({{"parallel", std::move(steps)}}));
    }
    return list;
}

Out StepListType::schema(SchemaBuilder& builder)
{
    const Out step = either_schema({AnyTextType::schema(builder), builder.ref(step_keys())});
    Out steps = list_schema(step);
    steps.set("minItems", Out(1));
    Out group = Out::map({{"type", Out("object")},
                          {"properties", Out::map({{"parallel", steps}})},
                          {"patternProperties", Out::map({{"^x-", Out(true)}})},
                          {"additionalProperties", Out(false)},
                          {"required", Out::list({"parallel"})}});
    group.set("description", Out("Steps that run side by side."));
    Out list = list_schema(either_schema({step.pairs[0].second.items[0], step.pairs[0].second.items[1], std::move(group)}));
    list.set("minItems", Out(1));
    return list;
}

} // namespace gantry::pipeline::native

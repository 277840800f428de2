#include "pipeline/frontend/native.hpp"

#include "pipeline/frontend/compose.hpp"
#include "pipeline/frontend/include.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/seccomp_profiles.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include <fmt/format.h>

namespace gantry::pipeline {

namespace {

using namespace native;

// The short form is one stage; beside `stages` its keys would belong to nothing.
void finish(Reader& reader, const native::Node& root, PipelineFile& file)
{
    const bool has_stages = root.find("stages") != nullptr;
    bool short_form = false;
    for (std::size_t i = 0; i < root.pairs(); ++i) {
        const auto& key = root.key(i);
        if (!is_short_form_key(key.text))
            continue;
        short_form = true;
        const Reader::Inside inside(reader, key);
        if (has_stages && key.text != "steps")
            reader.error(key, "conflict", fmt::format("'{}' cannot stand beside 'stages'", clip(key.text)),
                         is_key_of_defaults(key.text) ? "say it in a stage, or under 'defaults'" : "say it in a stage");
    }
    if (!has_stages && short_form && root.find("steps")) {
        file.main.name = "main";
        file.main.mark = root.find("steps")->mark;
        file.definition.stages.push_back(std::move(file.main));
    } else if (!has_stages && root.find("include")) {
        reader.error(root, "missing-key", "neither this file nor what it includes has 'stages' or 'steps'");
    }
    if (const native::Node* stages = root.find("stages"); stages && stages->is_list() && stages->items.empty())
        reader.error(*stages, "missing-key", "the list of stages is empty");
}

} // namespace

Parsed parse_native(const std::string& path, const ReadFile& read_file)
{
    Parsed parsed;
    NodePool pool;
    // Only what is missing inside of included files is left out of the tree; problems of several files come together.
    if (native::Node* root = read_with_includes(path, read_file, pool, parsed.sources, parsed.diagnostics)) {
        PipelineFile file;
        SeccompProfiles profiles(read_file);
        Reader reader(parsed.sources, parsed.diagnostics, profiles);
        read_object(reader, *root, pipeline_keys(), &file);
        finish(reader, *root, file);
        add_compose_services({*root, read_file, pool, parsed.sources, parsed.diagnostics}, reader, file.definition);
        parsed.definition = std::move(file.definition);
    }
    sort_by_position(parsed.diagnostics);
    return parsed;
}

std::string print_native(const Definition& definition)
{
    PipelineFile file;
    file.definition = definition;
    return print_yaml(write_object(pipeline_keys(), &file));
}

std::string native_schema()
{
    SchemaBuilder builder;
    Out schema = Out::map({{"$schema", Out("https://json-schema.org/draft/2020-12/schema")},
                           {"title", Out("Gantry pipeline")},
                           {"description", Out("What .gantry.yml may say.")}});
    for (auto& [name, value] : builder.object(pipeline_keys()).pairs)
        schema.set(name, std::move(value));
    schema.set("$defs", builder.definitions());
    return print_json(schema);
}

} // namespace gantry::pipeline

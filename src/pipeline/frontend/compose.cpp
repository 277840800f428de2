#include "pipeline/frontend/compose.hpp"

#include "pipeline/expression.hpp"
#include "pipeline/frontend/compose_load.hpp"
#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/plan_env.hpp"

#include "base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

namespace gantry::pipeline::native {

namespace {

using PlaceOfLine = std::function<Node(int line)>;

Node place_at(Mark mark)
{
    Node at;
    at.mark = mark;
    at.offset = UINT32_MAX;
    return at;
}

// A .env as it stands in the repository, read once for all stages.
struct ComposeEnvFile {
    enum class Kind { missing, readable, not_utf8, unreadable } kind = Kind::missing;
    std::string message, hint; // of an unreadable one
    EnvFileProblem problem;
    std::vector<EnvFileVariable> variables;
    // At the same places those that are no templates, then the places of those that are, and the places of each name.
    std::vector<std::optional<Text>> written_out;
    std::vector<std::size_t> templates;
    std::unordered_map<std::string_view, std::vector<std::size_t>> places;

    void take(std::string_view text)
    {
        variables = parse_env_file(text, problem, EnvFileValues::templates);
        for (std::size_t i = 0; i < variables.size(); ++i) {
            const bool is_template = variables[i].value.find('$') != std::string::npos;
            written_out.push_back(is_template ? std::nullopt : std::optional(Text(variables[i].value)));
            if (is_template)
                templates.push_back(i);
            places[variables[i].name].push_back(i);
        }
    }
};

using VariablesByName = std::unordered_map<std::string_view, const Text*>;

VariablesByName by_name(const EnvMap& variables)
{
    VariablesByName found;
    for (const auto& [name, value] : variables)
        found.insert_or_assign(name, &value);
    return found;
}

// What `$NAME` stands for: the stage's variables, the pipeline's, then those of .env.
class ComposeVariables {
public:
    ComposeVariables(const VariablesByName& pipeline, const EnvMap& stage) : pipeline_(pipeline), stage_(by_name(stage)) {}

    // A value may use those that stand above it.
    void add_file(ComposeWorld& world, const PlaceOfLine& place, const std::string& path, const ComposeEnvFile& file)
    {
        auto& reader = world.reader;
        if (file.problem.line > 0)
            return reader.error(place(file.problem.line), "bad-value", "this line " + file.problem.message);
        file_ = &file;
        for (const auto i : file.templates) {
            if (reader.is_full())
                return;
            const auto& [name, value, line] = file.variables[i];
            auto result = interpolate(value, [&](const std::string& used) { return find_above(used, i); });
            if (!result.unset.empty())
                world.warn_unset_in_file(place(line), path, name);
            if (result.problem) {
                reader.error(place(line), "interpolation", fmt::format("'{}': {}", clip(name), result.problem->message),
                             result.problem->hint);
                continue;
            }
            world.tree.charge_nodes(1);
            world.tree.charge_bytes(result.text.size());
            computed_.emplace(i, split_text(result.text, {}, nullptr)); // expressions in it are those of the pipeline's variables
        }
    }

    const Text* find(const std::string& name) const { return find_above(name, SIZE_MAX); }

private:
    // In the file, those above the variable with this index count.
    const Text* find_above(const std::string& name, std::size_t index) const
    {
        for (const auto* level : {&stage_, &pipeline_})
            if (const auto found = level->find(name); found != level->end())
                return found->second;
        if (!file_)
            return nullptr;
        const auto places = file_->places.find(name);
        if (places == file_->places.end())
            return nullptr;
        const auto end = std::lower_bound(places->second.begin(), places->second.end(), index);
        for (auto place = std::make_reverse_iterator(end); place != places->second.rend(); ++place) {
            if (const auto& text = file_->written_out[*place])
                return &*text;
            if (const auto found = computed_.find(*place); found != computed_.end())
                return &found->second;
        }
        return nullptr;
    }

    const VariablesByName& pipeline_;
    VariablesByName stage_;
    const ComposeEnvFile* file_ = nullptr;
    std::unordered_map<std::size_t, Text> computed_; // templates of the file, by their indices
};

class Stages {
public:
    Stages(const ComposeInput& input, Reader& reader, Definition& definition)
        : input_(input), reader_(reader), definition_(definition), tree_(input.pool), pipeline_variables_(by_name(definition.env))
    {
        for (const auto& volume : definition.volumes)
            volumes_.own.insert(volume.name);
        for (const auto& network : definition.networks)
            networks_.own.insert(network.name);
    }

    void take(const Node& compose, Stage& stage)
    {
        const auto files = paths_of(compose);
        if (files.empty())
            return;
        reader_.set_scalars(Reader::Scalars::loose);
        try {
            take_files(files, stage);
        } catch (const ComposeLimit& limit) {
            reader_.error(compose, "limit", limit.message, "split the pipeline, or the files");
        }
        reader_.set_scalars(Reader::Scalars::strict);
    }

private:
    struct Declared {
        std::set<std::string> own;                     // by the pipeline
        std::map<std::string, std::size_t> by_compose; // where the definition has them
    };

    std::vector<const Node*> paths_of(const Node& compose)
    {
        std::vector<const Node*> files{&compose};
        if (compose.is_list())
            files.assign(compose.items.begin(), compose.items.end());
        std::vector<const Node*> good;
        for (const Node* file : files)
            if (std::string path; NameType::read(reader_, *file, path))
                good.push_back(file);
        return good.size() == files.size() ? good : std::vector<const Node*>();
    }

    void take_files(const std::vector<const Node*>& files, Stage& stage)
    {
        ComposeVariables variables(pipeline_variables_, stage.container.environment);
        const auto first = repository_path("", files.front()->text);
        const auto folder = first ? folder_of(*first) : "";
        const auto env_path = folder.empty() ? ".env" : folder + "/.env";
        const FindVariable find = [&](const std::string& name) { return variables.find(name); };
        ComposeWorld world{reader_, tree_, find, input_.read_file};
        const auto& file = env_file(env_path);
        if (file.kind == ComposeEnvFile::Kind::readable)
            variables.add_file(world, [&](int line) { return place_in_env_file(env_path, line); }, env_path, file);
        else if (file.kind == ComposeEnvFile::Kind::not_utf8)
            reader_.error(*files.front(), "bad-value", fmt::format("'{}' is not UTF-8", env_path));
        else if (file.kind == ComposeEnvFile::Kind::unreadable)
            reader_.error(*files.front(), "missing-file", file.message, file.hint);
        ComposeLoader loader(input_, world, texts_);
        Node* merged = loader.load(files);
        if (!merged)
            return;
        select_services(world, *merged);
        const Node* lowered = lower_compose(world, *merged);
        tree_.charge(*lowered);
        read_lowered(*lowered, stage);
    }

    const ComposeEnvFile& env_file(const std::string& path)
    {
        using Kind = ComposeEnvFile::Kind;
        const auto [place, is_new] = env_files_.try_emplace(path);
        auto& file = place->second;
        if (!is_new)
            return file;
        const auto read = read_repository_file(input_.read_file, path);
        if (read.text)
            file.kind = is_utf8(*read.text) ? Kind::readable : Kind::not_utf8;
        else
            file.kind = read.is_missing ? Kind::missing : Kind::unreadable;
        file.message = read.problem;
        file.hint = read.hint;
        if (file.kind == Kind::readable)
            file.take(*read.text);
        return file;
    }

    // The tables that read .gantry.yml read the rest.
    void read_lowered(const Node& lowered, Stage& stage)
    {
        std::vector<Service> services;
        std::vector<VolumeDeclaration> volumes;
        std::vector<NetworkDeclaration> networks;
        const auto read = [&]<class Type>(const char* key, Type, typename Type::Value& value) {
            Node name;
            name.text = key;
            const Reader::Inside inside(reader_, name);
            Type::read(reader_, *lowered.find(key), value);
        };
        read("services", ServicesType(), services);
        read("volumes", VolumeDeclarationsType(), volumes);
        read("networks", NetworkDeclarationsType(), networks);
        add(services, stage);
        declare(volumes, definition_.volumes, volumes_, "volume");
        declare(networks, definition_.networks, networks_, "network");
    }

    void add(std::vector<Service>& services, Stage& stage)
    {
        std::set<std::string> own;
        for (const auto& service : stage.services)
            own.insert(service.name);
        if (own.empty())
            stage.services.swap(services);
        for (auto& service : services)
            if (own.contains(service.name))
                report(service.mark, "duplicate-name",
                       fmt::format("the stage has a service '{}' of its own", clip(service.name)),
                       "give it another name, or leave it out of one of them");
            else
                stage.services.push_back(std::move(service));
    }

    template <class Declaration> void declare(std::vector<Declaration>& found, std::vector<Declaration>& all, Declared& declared, const char* kind)
    {
        for (auto& declaration : found) {
            if (declared.own.count(declaration.name) > 0)
                continue; // the pipeline's own is meant
            const auto [place, is_new] = declared.by_compose.emplace(declaration.name, all.size());
            if (is_new)
                all.push_back(std::move(declaration));
            else if (!(all[place->second] == declaration))
                report(
                    declaration.mark, "conflict",
                    fmt::format("another Compose file declares the {} '{}' differently", kind, clip(declaration.name)),
                    "give one of them another name");
        }
    }

    void report(Mark mark, const char* code, std::string message, std::string hint)
    {
        reader_.error(place_at(mark), code, std::move(message), std::move(hint));
    }

    // The file is among the sources without its text: problems are shown with their lines, and those may hold passwords.
    Node place_in_env_file(const std::string& path, int line)
    {
        const auto [found, is_new] = env_sources_.emplace(path, static_cast<int>(input_.sources.size()));
        if (is_new)
            input_.sources.push_back({path, ""});
        return place_at({found->second, line, 1});
    }

    const ComposeInput& input_;
    Reader& reader_;
    Definition& definition_;
    ComposeTree tree_;
    ComposeTexts texts_;
    VariablesByName pipeline_variables_;
    std::map<std::string, ComposeEnvFile> env_files_; // by path
    std::map<std::string, int> env_sources_;          // of those with a problem: where they are in the sources
    Declared volumes_, networks_;
};

} // namespace

void add_compose_services(const ComposeInput& input, Reader& reader, Definition& definition)
{
    Stages stages(input, reader, definition);
    const auto take = [&](const Node& node, Stage& stage) {
        const Node* compose = node.find("compose");
        if (!compose)
            return;
        stages.take(*compose, stage);
    };
    const Node* list = input.root.find("stages");
    if (!list) {
        if (!definition.stages.empty())
            take(input.root, definition.stages.front());
        return;
    }
    // Stages that could not be read are missing; those are no maps.
    std::size_t index = 0;
    for (std::size_t i = 0; list->is_list() && i < list->items.size() && index < definition.stages.size(); ++i)
        if (list->items[i]->is_map())
            take(*list->items[i], definition.stages[index++]);
}

} // namespace gantry::pipeline::native

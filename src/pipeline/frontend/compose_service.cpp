#include "pipeline/frontend/compose_service.hpp"

#include "pipeline/expression.hpp"
#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/host_name.hpp"
#include "pipeline/plan_env.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>
#include <unordered_set>

// The keys of a Compose service that are said in other words of ours.

namespace gantry::pipeline::native {

namespace {

constexpr std::int64_t k_max_replicas = 64;

// A map of the service that is filled by several keys.
Node& section(ComposeService& service, const char* name, const Node& at)
{
    Node* found = service.service->find(name);
    if (!found)
        put(service.world.tree, *service.service, name, *(found = service.world.tree.map(at)));
    return *found;
}

bool is_map(ComposeService& service, const Node& value)
{
    if (!value.is_map())
        service.world.reader.wrong_type(value, "a map (key: value)");
    return value.is_map();
}

// A key's value; null pointer also where a variable without value has made it empty.
const Node* find_said(const ComposeService& service, std::string_view key)
{
    const Node* value = service.from.find(key);
    return value && value->is_scalar() && value->text.empty() ? nullptr : value;
}

// Whether others can look a service up by a further name.
bool can_be_found(ComposeService& service, const Node& at, std::string_view name)
{
    auto& reader = service.world.reader;
    if (!reader.is_fixed(at, at.text))
        return false;
    if (!is_host_name(name))
        reader.error(at, "bad-value", fmt::format("'{}' is not the name of a host", clip(name)), k_host_name_hint);
    return is_host_name(name);
}

std::optional<double> find_number(std::string_view text)
{
    double parsed = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    return status == std::errc() && end == text.data() + text.size() ? std::optional(parsed) : std::nullopt;
}

// Whether two limits of that name are one, such as 1g and 1024m.
bool is_same_limit(std::string_view name, const std::string& one, const std::string& other)
{
    if (one == other)
        return true;
    if (name == "mem_limit") {
        const auto bytes = parse_size(one);
        return bytes && bytes == parse_size(other);
    }
    const auto parsed = find_number(one);
    return parsed && parsed == find_number(other);
}

// A limit under `deploy` and the older key beside it must not say different things.
void put_limit(ComposeService& service, const char* name, Node& key, Node& value)
{
    const Node* other = find_said(service, name);
    for (const char* share : {"cpu_quota", "cpu_period"})
        if (std::string_view(name) == "cpus" && find_said(service, share))
            return service.world.reader.error(key, "conflict", fmt::format("'{}' and this limit cannot stand together", share), "keep this one");
    if (other && other->is_scalar() && value.is_scalar() && !is_same_limit(name, other->text, value.text))
        service.world.reader.error(key, "conflict",
                                   fmt::format("'{}' says {}, this says {}", name, clip(other->text), clip(value.text)),
                                   "keep one of them");
    else if (!other)
        put(service.world.tree, *service.service, name, value);
}

// The files of `env_file`, read in their order. As in Compose, a variable is looked for where those of the Compose file are,
// then in the service's `environment`, and then in what the files have said so far.
class EnvFiles {
public:
    EnvFiles(ComposeService& service, const Node& at)
        : world_(service.world), variables_(world_.tree.map(at)), editor_(*variables_)
    {
        const Node* environment = service.from.find("environment");
        for (std::size_t i = 0; environment && environment->is_map() && i < environment->pairs(); ++i)
            if (environment->value(i).is_scalar())
                own_.insert_or_assign(environment->key(i).text, split_text(environment->value(i).text, {}, nullptr));
            else if (environment->value(i).is_null())
                left_out_.insert(environment->key(i).text);
    }

    void read(const Node& path, bool raw)
    {
        const auto file = read_repository_file(world_.read_file, path.text);
        if (!file.text)
            return world_.reader.error(
                path, "missing-file", file.problem,
                file.is_missing ? "what a pipeline uses is in its repository; or write required: false" : file.hint);
        EnvFileProblem problem;
        const auto variables = parse_env_file(*file.text, problem, raw ? EnvFileValues::raw : EnvFileValues::templates);
        if (problem.line > 0)
            return world_.reader.error(path, "bad-value",
                                       fmt::format("line {} of '{}' {}", problem.line, clip(path.text), problem.message));
        for (const auto& variable : variables)
            add(path, variable, raw);
    }

    // As the service's environment has them.
    Node& variables() { return *variables_; }

private:
    void add(const Node& path, const EnvFileVariable& variable, bool raw)
    {
        const auto& [name, value, line] = variable;
        Interpolated result;
        if (!raw)
            result = interpolate(value, [&](const std::string& used) { return find(used); });
        else if (value.find("${{") == std::string::npos)
            result.text = value;
        else
            result.problem = {0, "'${{' has no meaning in a Compose file", ""};
        if (!result.unset.empty())
            world_.warn_unset_in_file(path, path.text, name);
        if (result.problem)
            return world_.reader.error(path, "interpolation",
                                       fmt::format("'{}' of '{}': {}", clip(name), clip(path.text), result.problem->message),
                                       result.problem->hint);
        read_.insert_or_assign(name, split_text(result.text, {}, nullptr));
        if (!left_out_.contains(name))
            editor_.put(*world_.tree.scalar(name, path), *world_.tree.scalar(std::move(result.text), path));
    }

    const Text* find(const std::string& name) const
    {
        if (const auto* outer = world_.find(name))
            return outer;
        for (const auto* values : {&own_, &read_})
            if (const auto found = values->find(name); found != values->end())
                return &found->second;
        return nullptr;
    }

    ComposeWorld& world_;
    Node* variables_;
    MapEditor editor_;
    std::map<std::string, Text> own_, read_;
    std::unordered_set<std::string_view> left_out_; // `environment` names them, and they have no value
};

} // namespace

void lower_build(ComposeService& service, Node& key, Node& value)
{
    if (!is_map(service, value))
        return;
    Node* build = service.world.tree.map(value);
    lower_keys(service, value, compose_build_keys(), "build", *build);
    put(*service.service, key, *build);
}

void lower_container_name(ComposeService& service, Node&, Node& value)
{
    if (!value.is_scalar())
        service.world.reader.wrong_type(value, "text");
    else if (value.text != service.key->text && can_be_found(service, value, value.text))
        service.aliases.push_back({value.text, &value, "container_name"});
}

// Both together are what `cpus` says: quota of each period, by default of 100 ms.
void lower_cpu_quota(ComposeService& service, Node& key, Node& value)
{
    constexpr double k_least = 0.001; // what the quotient is written with
    const auto number = [](const Node* node) { return node && node->is_scalar() ? find_number(node->text).value_or(0) : 0; };
    const Node* written = find_said(service, "cpu_quota");
    if (written && key.text == "cpu_period")
        return; // is read with it
    const double quota = number(written);
    const Node* period = find_said(service, "cpu_period");
    const double length = period ? number(period) : 100'000;
    if (find_said(service, "cpus"))
        service.world.reader.error(key, "conflict", fmt::format("'{}' and 'cpus' cannot stand together", key.text),
                                   "keep cpus");
    else if (!(quota > 0) || !(length > 0))
        service.world.reader.error(key, "bad-value",
                                   "a share of CPU time is cpu_quota of each cpu_period, in microseconds",
                                   "write cpus: 0.5");
    else if (quota / length < k_least)
        service.world.reader.error(key, "bad-value", "cpu_quota of each cpu_period is less of a CPU than a container can have",
                                   "write cpus: 0.01 or more");
    else
        put(service.world.tree, *service.service, "cpus",
            *service.world.tree.scalar(fmt::format("{:.3f}", quota / length), value));
}

void lower_deploy(ComposeService& service, Node&, Node& value)
{
    if (is_map(service, value))
        lower_keys(service, value, compose_deploy_keys(), "deploy", *service.service);
}

void lower_resources(ComposeService& service, Node&, Node& value)
{
    if (!is_map(service, value))
        return;
    auto& reader = service.world.reader;
    for (std::size_t i = 0; i < value.pairs(); ++i) {
        const auto& part = value.key(i);
        const Reader::Inside inside(reader, part);
        if (!is_word_of("limits reservations", part.text)) {
            if (!part.text.starts_with("x-"))
                report_unknown_key(reader, part, {"limits", "reservations"}, "the resources of a service");
            continue;
        }
        if (value.value(i).is_null() || !is_map(service, value.value(i)))
            continue;
        for (std::size_t j = 0; j < value.value(i).pairs(); ++j) {
            Node& key = value.value(i).key(j);
            Node& limit = value.value(i).value(j);
            if (key.text.starts_with("x-") || limit.is_null())
                continue;
            const Reader::Inside inside_of_it(reader, key);
            const bool known = is_word_of("cpus memory pids", key.text);
            if (part.text == "limits" && known && !limit.is_scalar())
                reader.wrong_type(limit, key.text == "memory" ? "a size" : "a number");
            else if (part.text == "limits" && known)
                put_limit(service,
                          key.text == "memory" ? "mem_limit"
                          : key.text == "pids" ? "pids_limit"
                                               : "cpus",
                          key, limit);
            else if (part.text == "reservations" && known)
                reader.warning(key, "no-effect", fmt::format("'{}' of reservations has no effect in a pipeline", clip(key.text)),
                               "nothing is reserved on the one machine that a stage runs on; write limits");
            else if (is_word_of("devices generic_resources", key.text))
                reader.error(key, "unsupported", fmt::format("'{}' of {} is not supported in a Compose file", key.text, part.text));
            else
                report_unknown_key(reader, key, {"cpus", "memory", "pids"}, (part.text + " of a service").c_str());
        }
    }
}

void lower_env_file(ComposeService& service, Node&, Node& value)
{
    if (!value.is_list())
        return service.world.reader.wrong_type(value, "a list of files");
    Node& environment = section(service, "environment", value);
    EnvFiles files(service, value);
    for (std::size_t i = 0; i < value.items.size(); ++i) {
        const Reader::Inside inside(service.world.reader, i);
        const Node& entry = *value.items[i];
        EnvFileEntry file;
        if (!EnvFileType::read(service.world.reader, entry, file) ||
            (!file.required && read_repository_file(service.world.read_file, file.path).is_missing))
            continue;
        files.read(*entry.find("path"), file.raw);
    }
    // What the service says itself goes over its files, whichever key stands first.
    MapEditor editor(files.variables());
    for (std::size_t i = 0; i < environment.pairs(); ++i)
        editor.put(environment.key(i), environment.value(i));
    environment.items = files.variables().items;
}

void lower_environment(ComposeService& service, Node& key, Node& value)
{
    if (!value.is_map()) {
        put(*service.service, key, value);
        return;
    }
    Node& environment = section(service, "environment", value);
    MapEditor editor(environment);
    for (std::size_t i = 0; i < value.pairs(); ++i)
        if (!value.value(i).is_null())
            editor.put(value.key(i), value.value(i));
}

// "db" says that it comes first; "db:database" also that db is found by another name. Here all of the network find it.
void lower_links(ComposeService& service, Node&, Node& value)
{
    if (!value.is_list())
        return service.world.reader.wrong_type(value, "a list of services");
    for (std::size_t i = 0; i < value.items.size(); ++i) {
        const Reader::Inside inside(service.world.reader, i);
        const Node& item = *value.items[i];
        if (!item.is_scalar()) {
            service.world.reader.error(item, "wrong-type", "a link is SERVICE or SERVICE:NAME");
            continue;
        }
        const auto colon = item.text.find(':');
        const auto target = item.text.substr(0, colon);
        const auto name = colon == std::string::npos ? target : item.text.substr(colon + 1);
        if (name != target && can_be_found(service, item, name))
            service.links.push_back({target, {name, &item, "links"}});
    }
}

void lower_network_mode(ComposeService& service, Node& key, Node& value)
{
    if (const Node* networks = service.from.find("networks"); networks && !networks->items.empty())
        service.world.reader.error(*networks, "conflict", "'network_mode' and 'networks' cannot stand together",
                                   "keep one of them");
    if (value.is_scalar() && value.text == "bridge") // the engine's own network: the stage's, here
        return;
    put(*service.service, key, value);
}

void lower_networks(ComposeService& service, Node& key, Node& value)
{
    if (!value.is_map()) {
        put(*service.service, key, value);
        return;
    }
    Node* networks = service.world.tree.map(value);
    for (std::size_t i = 0; i < value.pairs(); ++i) {
        Node* network = &value.value(i);
        if (network->is_map()) {
            network = service.world.tree.copy(*network);
            for (const char* ignored : {"priority", "gw_priority"})
                remove(*network, ignored);
        }
        networks->items.insert(networks->items.end(), {&value.key(i), network});
    }
    put(*service.service, key, *networks);
}

void lower_pull_policy(ComposeService& service, Node& key, Node& value)
{
    if (value.text == "build" && service.from.find("build")) // what has a build is built
        return;
    put(*service.service, key, value);
}

void lower_restart(ComposeService& service, Node&, Node& value)
{
    const auto word = value.is_scalar() ? value.text.substr(0, value.text.find(':')) : "";
    if (!is_word_of("no always on-failure unless-stopped false", word) || word.empty())
        service.world.reader.error(value, "bad-value", fmt::format("'{}' is not a way to restart", clip(value.text)),
                                   "one of: no, always, on-failure, unless-stopped; a pipeline restarts no service");
}

void lower_scale(ComposeService& service, Node& key, Node& value)
{
    const Node* scale = service.from.find("scale");
    if (key.text == "replicas" && scale && scale->is_scalar() && value.is_scalar() && scale->text != value.text)
        service.world.reader.error(key, "conflict", fmt::format("'scale' says {}, this says {}", clip(scale->text), clip(value.text)),
                                   "keep one of them");
    if (const auto number = service.world.reader.integer(value, {0, k_max_replicas}))
        service.replicas = static_cast<int>(*number);
}

} // namespace gantry::pipeline::native

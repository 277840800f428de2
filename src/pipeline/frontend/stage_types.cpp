#include "pipeline/artifact_pattern.hpp"
#include "pipeline/build_values.hpp"
#include "pipeline/cache_path.hpp"
#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/yaml_problems.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

// matrix, caches, artifacts, build.

namespace gantry::pipeline::native {

namespace {

// ---- matrix

using Row = MapType<ScalarType>;

const ObjectKeys& matrix_extras()
{
    static const Key rows[] = {
        key<ListType<Row>, &Matrix::include>("include", "Further combinations, or further values for some."),
        key<ListType<Row>, &Matrix::exclude>("exclude", "Combinations to leave out."),
    };
    static const ObjectKeys keys{"matrix", "a matrix", {{rows}}};
    return keys;
}

bool read_axis(Reader& reader, const Node& name, const Node& values, Matrix& matrix)
{
    std::vector<Text> texts;
    if (!values.is_list()) {
        reader.wrong_type(values, "a list of values", values.is_scalar() ? fmt::format("write [{}]", clip(values.text)) : "");
        return false;
    }
    if (values.items.empty())
        reader.error(name, "bad-value", fmt::format("the axis '{}' has no values", clip(name.text)), "remove it, or give it one");
    ListType<AnyTextType>::read(reader, values, texts);
    matrix.axes.emplace_back(name.text, std::move(texts));
    return true;
}

void refuse_axis(Reader& reader, const Node& key, const Matrix& matrix)
{
    std::vector<std::string> axes;
    for (const auto& axis : matrix.axes)
        axes.push_back(axis.first);
    const auto near = key.text.size() <= 40 ? nearest(key.text, axes) : std::nullopt;
    reader.error(key, "bad-value", fmt::format("the matrix has no axis '{}'", clip(key.text)),
                 near               ? fmt::format("did you mean '{}'?", *near)
                 : axes.empty()     ? "it has none at all: 'exclude' takes away combinations of axes"
                 : axes.size() <= 8 ? "its axes are: " + join(axes, ", ")
                                    : "");
}

// What is excluded are combinations of the axes, before 'include' adds to them.
void check_excluded(Reader& reader, const Node& exclude, const Matrix& matrix)
{
    std::unordered_set<std::string_view> axes;
    for (const auto& axis : matrix.axes)
        axes.insert(axis.first);
    for (std::size_t i = 0; exclude.is_list() && i < exclude.items.size(); ++i) {
        const auto& row = *exclude.items[i];
        const Reader::Inside in_row(reader, i);
        for (std::size_t j = 0; row.is_map() && j < row.pairs() && !reader.is_full(); ++j) {
            const Reader::Inside inside(reader, row.key(j));
            if (axes.count(row.key(j).text) == 0)
                refuse_axis(reader, row.key(j), matrix);
        }
    }
}

// ---- caches

const Words k_cache_modes{{"shared", "private", "locked"}, "a mode of a cache"};
const Words k_cache_policies{{"pull", "push", "pull-push"}, "a policy of a cache"};

const ObjectKeys& cache_key_keys()
{
    static const Key rows[] = {key<OneOrListType<NameType>, &Cache::key_files>("files", "Files whose contents make the key.")};
    static const ObjectKeys keys{"cache_key", "the key of a cache", {{rows}}, {"files"}};
    return keys;
}

using CacheKeyText = RuledTextType<k_cache_key_rule, FilledTextType>;

struct CacheKeyType { // text, or {files}
    using Value = Cache;
    static bool read(Reader& reader, const Node& node, Cache& cache)
    {
        return node.is_map() ? read_object(reader, node, cache_key_keys(), &cache) : CacheKeyText::read(reader, node, cache.key);
    }
    static Out write(const Cache& cache)
    {
        if (!cache.key_files.empty())
            return write_object(cache_key_keys(), &cache);
        return cache.key.empty() ? Out() : TextType::write(cache.key);
    }
    static Out schema(SchemaBuilder& builder)
    {
        return either_schema({FilledTextType::schema(builder), builder.ref(cache_key_keys())});
    }
};

const ObjectKeys& cache_keys()
{
    static const Key rows[] = {
        key<NameType, &Cache::name>("name", "Name of the cache."),
        key<FilledTextType, &Cache::path>("path", "Folder in the containers."),
        whole<CacheKeyType>("key", "What the contents depend on: text, or the contents of files."),
        key<OneOrListType<CacheKeyText>, &Cache::fallback_keys>("fallback_keys", "Beginnings of keys to take instead, in turn."),
        key<WordType<k_cache_modes>, &Cache::mode>("mode", "shared: one for all; private: one for each branch; locked: one stage at a time."),
        key<WordType<k_cache_policies>, &Cache::policy>("policy", "Whether it is read, written, or both."),
    };
    static const ObjectKeys keys{"cache", "a cache", {{rows}}, {"name", "path"}};
    return keys;
}

// ---- artifacts

const Words k_artifact_times{{"on_success", "on_failure", "always"}, "a time to keep artifacts"};

bool check_pattern(Reader& reader, const Node& node, std::string_view written)
{
    const auto pattern = artifact_pattern(written);
    if (!pattern.problem.empty())
        reader.error(node, "bad-value", pattern.problem, k_artifact_pattern_hint);
    return pattern.problem.empty();
}

struct ArtifactPathType : FilledTextType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        return FilledTextType::read(reader, node, value) && (!value.is_literal() || check_pattern(reader, node, value.literal()));
    }
};

struct ExcludedPathType : NameType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        return NameType::read(reader, node, value) && check_pattern(reader, node, value);
    }
};

using Paths = OneOrListType<ArtifactPathType>;

// The kinds that there are, as keys of their own: one that there is not is told apart where it stands.
struct Reports {
    std::vector<std::string> junit, coverage;
};

const ObjectKeys& report_keys()
{
    static const Key rows[] = {
        key<OneOrListType<NameType>, &Reports::junit>("junit", "Test reports in JUnit's XML: globs of files."),
        key<OneOrListType<NameType>, &Reports::coverage>("coverage", "Coverage in Cobertura's XML or LCOV's tracefiles: globs of files."),
    };
    static const ObjectKeys keys{"reports", "reports", {{rows}}};
    return keys;
}

struct ReportsType {
    using Value = std::map<std::string, std::vector<std::string>>;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        Reports reports;
        const bool good = read_object(reader, node, report_keys(), &reports);
        if (!reports.junit.empty())
            value["junit"] = std::move(reports.junit);
        if (!reports.coverage.empty())
            value["coverage"] = std::move(reports.coverage);
        return good;
    }
    static Out write(const Value& value)
    {
        Reports reports;
        if (const auto found = value.find("junit"); found != value.end())
            reports.junit = found->second;
        if (const auto found = value.find("coverage"); found != value.end())
            reports.coverage = found->second;
        return write_object(report_keys(), &reports);
    }
    static Out schema(SchemaBuilder& builder) { return builder.ref(report_keys()); }
};

const ObjectKeys& artifact_keys()
{
    static const Key rows[] = {
        key<Paths, &Artifacts::paths>("paths", "Files, folders and globs, relative to the workspace."),
        key<OneOrListType<ExcludedPathType>, &Artifacts::exclude>("exclude", "Globs of what is not kept."),
        key<WordType<k_artifact_times>, &Artifacts::when>("when", "on_success (default), on_failure or always."),
        key<DurationType, &Artifacts::expire_in>("expire_in", "How long they are kept."),
        key<ReportsType, &Artifacts::reports>("reports", "Files whose results a run shows, by kind."),
    };
    static const ObjectKeys keys{"artifacts", "artifacts", {{rows}}};
    return keys;
}

// ---- build

// What parts of a build say of each other, and what no build can be made from.
void check_build(Reader& reader, const Node& node, const Build& build)
{
    const auto refuse = [&](std::string_view key, const std::string& problem, const std::string& hint) {
        for (std::size_t i = 0; i < node.pairs(); ++i) {
            if (node.key(i).text != key)
                continue;
            const Reader::Inside inside(reader, node.key(i));
            return reader.error(node.value(i), "bad-value", problem, hint);
        }
        reader.error(node, "bad-value", problem, hint); // the short form
    };
    if (const auto& text = build.dockerfile_inline; text && text->is_literal() && trim(text->literal()).empty())
        return refuse("dockerfile_inline", "a Dockerfile cannot be empty", "write FROM … and what it adds, or leave it out");
    if (!build.context.is_literal())
        return;
    const auto place = build_context(trim(build.context.literal()));
    if (!place.problem.empty())
        return refuse("context", place.problem, place.hint);
    if (build.dockerfile_inline && place.kind != BuildPlace::Kind::folder)
        return refuse("dockerfile_inline", "only a context that is a folder takes an inline Dockerfile", "use its own: dockerfile: PATH");
    if (!build.dockerfile.is_literal())
        return;
    const std::string written(trim(build.dockerfile.literal()));
    const auto file = place.kind == BuildPlace::Kind::folder ? build_dockerfile(written, place.path) : sent_dockerfile(written);
    if (!file.problem.empty())
        refuse("dockerfile", file.problem, file.hint);
}

struct PlatformType : NameType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        return NameType::read(reader, node, value) && keeps_rule(reader, node, k_platform_rule, value);
    }
};

const ObjectKeys& build_keys()
{
    using Texts = OneOrListType<FilledTextType>;
    using Strings = OneOrListType<NameType>;
    using Images = OneOrListType<RuledTextType<k_cache_from_rule, FilledTextType>>;
    using Tags = OneOrListType<RuledTextType<k_tag_rule, FilledTextType>>;
    static const Key rows[] = {
        key<FilledTextType, &Build::context>("context", "Folder that the build sees (default: the workspace)."),
        key<FilledTextType, &Build::dockerfile>("dockerfile", "Path of the Dockerfile in the context."),
        key<AnyTextType, &Build::dockerfile_inline>("dockerfile_inline", "The Dockerfile itself."),
        key<FilledTextType, &Build::target>("target", "Stage of the Dockerfile to build."),
        key<AssignmentsType, &Build::args>("args", "Build arguments."),
        key<Tags, &Build::tags>("tags", "Names of the image."),
        key<Images, &Build::cache_from>("cache_from", "Images to take layers from."),
        key<Texts, &Build::cache_to>("cache_to", "Where to keep layers."),
        key<LabelsType, &Build::labels>("labels", "Labels of the image."),
        key<RuledStringType<k_build_network_rule>, &Build::network>("network", "Network of its RUN instructions: default, none or host."),
        key<ExtraHostsType, &Build::extra_hosts>("extra_hosts", "Further lines of /etc/hosts: name:address."),
        key<OneOrListType<PlatformType>, &Build::platforms>("platforms", "Platforms to build for."),
        key<Strings, &Build::secrets>("secrets", "Secrets for RUN --mount=type=secret."),
        key<Strings, &Build::ssh>("ssh", "SSH agents for RUN --mount=type=ssh."),
        key<BooleanType, &Build::pull>("pull", "Always look for newer base images."),
        key<BooleanType, &Build::no_cache>("no_cache", "Run every instruction anew."),
        key<SizeType, &Build::shm_size_bytes>("shm_size", "Size of /dev/shm during the build."),
    };
    const auto marks = [](void* build) { return &static_cast<Build*>(build)->marks; };
    static const ObjectKeys keys{"build", "build", {{rows, nullptr, marks}}, {}, {{{"dockerfile", "dockerfile_inline"}}}};
    return keys;
}

} // namespace

bool MatrixType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = reader.key_mark();
    if (!node.is_map()) {
        reader.wrong_type(node, "a map of axes", "write matrix: { version: [\"1\", \"2\"] }");
        return false;
    }
    for (std::size_t i = 0; i < node.pairs(); ++i) {
        const auto& name = node.key(i);
        const Reader::Inside inside(reader, name);
        if (name.text == "include")
            ListType<Row>::read(reader, node.value(i), value.include);
        else if (name.text == "exclude")
            ListType<Row>::read(reader, node.value(i), value.exclude);
        else if (name.text.substr(0, 2) != "x-" && check_variable_name(reader, name, name.text))
            read_axis(reader, name, node.value(i), value);
    }
    for (std::size_t i = 0; i < node.pairs(); ++i) {
        if (node.key(i).text != "exclude")
            continue;
        const Reader::Inside inside(reader, node.key(i));
        check_excluded(reader, node.value(i), value);
    }
    return true;
}

Out MatrixType::write(const Value& value)
{
    Out map = MapType<ListType<TextType>>::write(value.axes);
    for (auto& [name, rows] : write_object(matrix_extras(), &value).pairs)
        map.set(name, std::move(rows));
    return map;
}

Out MatrixType::schema(SchemaBuilder& builder)
{
    Out schema = builder.object(matrix_extras());
    Out values = list_schema(AnyTextType::schema(builder));
    values.set("minItems", Out(1));
    schema.set("additionalProperties", std::move(values));
    schema.set("propertyNames", Out::map({{"pattern", Out("^[^= ]+$")}}));
    return schema;
}

bool CacheType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = node.mark;
    return read_object(reader, node, cache_keys(), &value);
}

Out CacheType::write(const Value& value) { return write_object(cache_keys(), &value); }

Out CacheType::schema(SchemaBuilder& builder) { return builder.ref(cache_keys()); }

bool ArtifactsType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = reader.key_mark();
    return node.is_list() ? Paths::read(reader, node, value.paths) : read_object(reader, node, artifact_keys(), &value);
}

Out ArtifactsType::write(const Value& value) { return write_object(artifact_keys(), &value); }

Out ArtifactsType::schema(SchemaBuilder& builder)
{
    return either_schema({list_schema(FilledTextType::schema(builder)), builder.ref(artifact_keys())});
}

bool BuildType::read(Reader& reader, const Node& node, Value& value)
{
    value.mark = reader.key_mark();
    const bool read = node.is_scalar() ? FilledTextType::read(reader, node, value.context) : read_object(reader, node, build_keys(), &value);
    if (read)
        check_build(reader, node, value); // a wrong one is still what its step does
    // What is left out when it is printed, or written in a short form, has no place there: only those that are refused by it.
    static const std::set<std::string> k_placed = {"cache_to", "secrets", "ssh", "platforms"};
    std::erase_if(value.marks, [](const auto& entry) { return !k_placed.contains(entry.first); });
    return read;
}

Out BuildType::write(const Value& value) { return write_object(build_keys(), &value); }

Out BuildType::schema(SchemaBuilder& builder)
{
    return either_schema({FilledTextType::schema(builder), builder.ref(build_keys())});
}

} // namespace gantry::pipeline::native

#include "pipeline/frontend/container_types.hpp"
#include "pipeline/frontend/habits.hpp"
#include "pipeline/frontend/model_types.hpp"
#include "pipeline/frontend/repository_file.hpp"
#include "pipeline/frontend/yaml_problems.hpp"
#include "pipeline/ready.hpp"

#include <fmt/format.h>

#include <algorithm>

// What a stage may say, and its services.

namespace gantry::pipeline::native {

namespace {

// ---- services

const Words k_probes{{"", "declared"}, "a way to probe"};

struct ReadyPageType : StringType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (!StringType::read(reader, node, value))
            return false;
        const auto page = parse_ready_page(value);
        if (!page.problem.empty())
            reader.error(node, "bad-value", page.problem, k_ready_page_hint);
        return page.problem.empty();
    }
};

struct ReadyLogType : StringType {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        if (!StringType::read(reader, node, value))
            return false;
        const auto problem = ready_log_problem(value);
        if (!problem.empty())
            reader.error(node, "bad-value", problem, "put a \\ before what is meant as it is, such as \\(");
        return problem.empty();
    }
};

const ObjectKeys& ready_keys()
{
    static const Key rows[] = {
        key<IntegerType<int, 1, 65535>, &Ready::tcp>("tcp", "This port accepts connections."),
        key<ReadyPageType, &Ready::http>("http", "This URL path with its port answers 2xx: \":8080/health\"."),
        key<ReadyLogType, &Ready::log>("log", "A line of its output matches this regular expression."),
    };
    static const ObjectKeys keys{"ready", "ready", {{rows}}, {}, {{{"tcp", "http", "log"}}}, {"tcp", "http", "log"}, "write tcp: 5432"};
    return keys;
}

struct ReadyType : ObjectType<Ready, ready_keys> {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        value.mark = reader.key_mark();
        return read_object(reader, node, ready_keys(), &value);
    }
};

// A path of the workspace, as it is kept.
struct WorkspacePathType {
    using Value = std::string;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        std::string written;
        if (!StringType::read(reader, node, written))
            return false;
        const auto path = repository_path("", written);
        if (!path)
            reader.error(node, "bad-value", fmt::format("'{}' is outside of the repository", clip(written)),
                         "write a path inside it, from its root");
        value = path.value_or("");
        return path.has_value();
    }
    static Out write(const Value& value) { return value; }
    static Out schema(SchemaBuilder& builder) { return FilledTextType::schema(builder); }
};

const ObjectKeys& file_keys()
{
    using Owner = IntegerType<std::uint32_t, 0, INT32_MAX>;
    static const Key rows[] = {
        key<RuledTextType<k_file_target_rule, FilledTextType>, &ContainerFile::target>("target", "Path in the container."),
        key<WorkspacePathType, &ContainerFile::source>("source", "File or folder of the workspace that is copied there."),
        key<AnyTextType, &ContainerFile::content>("content", "Or the text itself."),
        key<FileModeType, &ContainerFile::mode>("mode", "Its file mode, such as 0o440."),
        key<Owner, &ContainerFile::uid>("uid", "Number of the user that it belongs to."),
        key<Owner, &ContainerFile::gid>("gid", "Number of the group that it belongs to."),
    };
    static const ObjectKeys keys{"file", "a file", {{rows}}, {"target"}, {{{"source", "content"}}}, {"source", "content"},
                                 "write source: path/in/the/workspace"};
    return keys;
}

struct FileType : ObjectType<ContainerFile, file_keys> {
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        value.mark = node.mark;
        return read_object(reader, node, file_keys(), &value) && !value.target.empty() && (value.content || !value.source.empty());
    }
};

const ObjectKeys& service_keys()
{
    static const Key rows[] = {
        key<BuildType, &Service::build>("build", "Builds its image, as Compose's build does."),
        key<ListType<FileType>, &Service::files>("files", "Put into the container before it starts."),
        key<ReadyType, &Service::ready>("ready", "When it is ready, where no healthcheck says so."),
        key<WordType<k_probes>, &Service::probe>("probe", "declared: probe at the healthcheck's own interval only."),
    };
    static const ObjectKeys keys{"service", "a service", {container_part<Service>(in_service), {rows}}, {}, {}, {"image", "build"},
                                 "write image: name:tag"};
    return keys;
}

// ---- needs, approval, workspace

struct NeedType {
    using Value = Need;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        value.mark = node.mark;
        return NameType::read(reader, node, value.stage);
    }
    static Out write(const Value& value) { return value.stage; }
    static Out schema(SchemaBuilder& builder) { return NameType::schema(builder); }
};

const ObjectKeys& approval_keys()
{
    static const Key rows[] = {
        key<TextType, &Approval::message>("message", "What is asked."),
        key<OneOrListType<NameType>, &Approval::allowed>("allowed", "Who may answer; absent: everyone who may run it."),
    };
    static const ObjectKeys keys{"approval", "approval", {{rows}}};
    return keys;
}

struct ApprovalType { // true, a message, or {message, allowed}
    using Value = std::optional<Approval>;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        Approval approval;
        approval.mark = reader.key_mark();
        bool wanted = true;
        const bool good = node.is_map() ? read_object(reader, node, approval_keys(), &approval)
                          : node.is_plain() && is_core_boolean(node.text) ? BooleanType::read(reader, node, wanted)
                                                                        : TextType::read(reader, node, approval.message);
        if (good && wanted)
            value = std::move(approval);
        return good;
    }
    static Out write(const Approval& value) { return write_object(approval_keys(), &value); }
    static Out schema(SchemaBuilder& builder)
    {
        return either_schema({AnyTextType::schema(builder), builder.ref(approval_keys())});
    }
};

const Words k_starts{{"inherit", "clean"}, "a start of a workspace"};
const Words k_conflict_rules{{"stop", "last"}, "a rule for conflicts"};
using StartType = EnumType<WorkspaceStart, k_starts>;

const ObjectKeys& workspace_keys()
{
    static const Key rows[] = {
        key<StartType, &Workspace::start>("start", "inherit: the files of the stages it needs; clean: the checkout alone."),
        key<EnumType<OnConflict, k_conflict_rules>, &Workspace::on_conflict>("on_conflict", "When two stages changed a path differently."),
    };
    static const ObjectKeys keys{"workspace", "workspace", {{rows}}};
    return keys;
}

struct WorkspaceType { // inherit, clean, or {start, on_conflict}
    using Value = Workspace;
    static bool read(Reader& reader, const Node& node, Value& value)
    {
        return node.is_map() ? read_object(reader, node, workspace_keys(), &value) : StartType::read(reader, node, value.start);
    }
    static Out write(const Value& value) { return write_object(workspace_keys(), &value); }
    static Out schema(SchemaBuilder& builder) { return either_schema({StartType::schema(builder), builder.ref(workspace_keys())}); }
};

// Carried out when all has been read (compose.hpp): printed definitions have the services themselves.
struct ComposeType {
    using Value = Stage;
    static bool read(Reader&, const Node&, Stage&) { return true; }
    static Out write(const Stage&) { return {}; }
    static Out schema(SchemaBuilder& builder) { return OneOrListType<NameType>::schema(builder); }
};

struct RunsOnType {
    using Value = Stage;
    using Labels = MapType<AnyTextType>;
    static bool read(Reader& reader, const Node& node, Stage& stage)
    {
        stage.runs_on_mark = reader.key_mark();
        return Labels::read(reader, node, stage.runs_on);
    }
    static Out write(const Stage& stage) { return stage.runs_on.empty() ? Out() : Labels::write(stage.runs_on); }
    static Out schema(SchemaBuilder& builder) { return Labels::schema(builder); }
};

const Key k_stage_keys[] = {
    key<NameType, &Stage::name>("name", "Name of the stage; others refer to it in needs."),
    key<OneOrListType<NeedType>, &Stage::needs>("needs", "Stages that come before; absent: the one above; []: none."),
    key<ConditionType, &Stage::condition>("if", "It runs only where this holds; absent: where all it needs succeeded."),
    key<MatrixType, &Stage::matrix>("matrix", "Runs the stage once for each combination of values."),
    key<FixedCommandType, &Stage::shell>("shell", "The shell of its steps' run, with options: [bash, -ec]."),
    whole<RunsOnType>("runs_on", "Labels that the agent must have."),
    key<ServicesType, &Stage::services>("services", "Containers that run beside the steps, by name."),
    whole<ComposeType>("compose", "Compose files whose services it takes."),
    key<ListType<CacheType>, &Stage::caches>("caches", "Folders that are kept from run to run."),
    key<StepListType, &Stage::steps>("steps", "What it does, in turn."),
    key<StepListType, &Stage::finally_steps>("finally", "Steps that always run at the end, also after failure and cancel."),
    key<ArtifactsType, &Stage::artifacts>("artifacts", "Files that are kept and handed on."),
    key<ApprovalType, &Stage::approval>("approval", "Someone must agree before it starts."),
    key<ConcurrencyType, &Stage::concurrency>("concurrency", "How many of its kind may run at a time."),
    key<TimeLimitType, &Stage::timeout>("timeout", "How long it may take."),
    key<RetryType, &Stage::retry>("retry", "How its steps are tried again, where they do not say."),
    key<BooleanType, &Stage::allow_failure>("allow_failure", "Its failure does not fail the run."),
    key<WorkspaceType, &Stage::workspace>("workspace", "What its files start from."),
};

const ObjectKeys& stage_keys()
{
    static const ObjectKeys keys{"stage", "a stage", {{stage_own_keys()}, container_part<Stage>(in_stage)}, {"name"}, {},
                                 {"steps", "approval"}, "write steps: [{ run: … }]", {}, "add name: …"};
    return keys;
}

} // namespace

std::span<const Key> stage_own_keys() { return k_stage_keys; }

bool ServicesType::read(Reader& reader, const Node& node, Value& value)
{
    if (!node.is_map()) {
        reader.wrong_type(node, "a map of services by name", "write db: { image: postgres:16 }");
        return false;
    }
    value.reserve(value.size() + std::min<std::size_t>(node.pairs(), k_max_objects)); // they are large
    for (std::size_t i = 0; i < node.pairs() && reader.count_object(node.key(i)); ++i) {
        const Reader::Inside inside(reader, node.key(i));
        Service service;
        service.mark = node.key(i).mark;
        if (reader.scalars() == Reader::Scalars::strict)
            warn_of_doubled_dollars(reader, node.value(i));
        if (NameType::read(reader, node.key(i), service.name) && read_object(reader, node.value(i), service_keys(), &service))
            value.push_back(std::move(service));
    }
    return true;
}

Out ServicesType::write(const Value& value)
{
    Out map = Out::map();
    for (const auto& service : value)
        map.pairs.emplace_back(service.name, write_object(service_keys(), &service));
    return map;
}

Out ServicesType::schema(SchemaBuilder& builder)
{
    Out map = map_schema(builder.ref(service_keys()));
    map.set("propertyNames", Out::map({{"minLength", Out(1)}, {"maxLength", Out(128)}}));
    return map;
}

bool StageType::read(Reader& reader, const Node& node, Value& value)
{
    if (!reader.count_object(node))
        return false;
    const Node* name = node.find("name");
    value.mark = name ? name->mark : node.mark;
    return read_object(reader, node, stage_keys(), &value);
}

Out StageType::write(const Value& value) { return write_object(stage_keys(), &value); }

Out StageType::schema(SchemaBuilder& builder) { return builder.ref(stage_keys()); }

} // namespace gantry::pipeline::native

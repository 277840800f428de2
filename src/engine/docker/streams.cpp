#include "base/format.hpp"
#include "engine/docker/attachment.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/renamed_members.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

// What moves bytes: attach, exec, and the archive calls.

namespace gantry::engine::docker {

namespace {

constexpr auto k_idle_limit = 120s; // between two pieces of an archive

// "in" of "/data/in" and "/data/in/"; empty for "/" and for the contents of a folder, "/data/.".
std::string file_name_of(std::string_view path)
{
    while (path.ends_with('/'))
        path.remove_suffix(1);
    const auto name = path.substr(path.rfind('/') + 1);
    return name == "." ? std::string() : std::string(name);
}

// "layer" of "/" and "/layer", "b/c" of "/a" and "/a/b/c"; empty unless the second is below the first.
std::string below(std::string_view folder, std::string_view path)
{
    while (folder.ends_with('/'))
        folder.remove_suffix(1);
    if (!path.starts_with(folder) || path.size() <= folder.size() + 1 || path[folder.size()] != '/')
        return {};
    return std::string(path.substr(folder.size() + 1));
}

// The mounts of a container below `path`, as they are called there ("layer"), by an answer to /containers/NAME/json.
std::vector<std::string> mounts_below(const Json& container, const std::string& path)
{
    std::vector<std::string> folders;
    for (const auto& mount : items_of(field(container, "Mounts")))
        if (auto folder = below(path, text_field(mount, "Destination")); !folder.empty())
            folders.push_back(std::move(folder));
    return folders;
}

// An archive that was begun, from its start, through other names.
struct Resumed {
    ReadPiece rest;
    std::string head;
    RenamedMembers names;

    awaitable<std::string> next()
    {
        for (;;) {
            std::string piece = std::exchange(head, {});
            if (piece.empty())
                piece = co_await rest();
            if (piece.empty())
                co_return piece;
            std::string renamed = names.feed(piece);
            if (!renamed.empty())
                co_return renamed;
        }
    }
};

} // namespace

awaitable<std::unique_ptr<Attachment>> DockerEngine::attach(const std::string& container, const AttachOptions& options)
{
    const bool tty = options.tty;
    Request request("POST", container_path(container, fmt::format("/attach?stream=1&stdout=1&stderr=1&stdin={}",
                                                                  options.open_stdin ? 1 : 0)));
    request.upgrade = true;
    const auto exchange = co_await api_->open(std::move(request), k_limit);
    co_return make_attachment(api_, take_stream(*exchange, tty, container_path(container, "/resize")));
}

awaitable<std::unique_ptr<ExecSession>> DockerEngine::exec(const std::string& container, const ExecSpec& spec)
{
    Json body = {{"AttachStdin", spec.open_stdin}, {"AttachStdout", true}, {"AttachStderr", true},
                 {"Tty", spec.tty},                {"Cmd", spec.command}};
    for (const auto& [name, value] : spec.environment)
        body["Env"].push_back(name + "=" + value);
    if (!spec.user.empty())
        body["User"] = spec.user;
    if (!spec.working_dir.empty())
        body["WorkingDir"] = spec.working_dir;
    const bool tty = spec.tty;
    Request create("POST", container_path(container, "/exec"));
    create.body = dump(body);
    const auto created = co_await api_->json(std::move(create), k_limit);
    const auto id = text_field(created, "Id");

    Request start("POST", "/exec/" + encode_path(id) + "/start");
    start.body = dump({{"Detach", false}, {"Tty", tty}});
    start.upgrade = true;
    const auto exchange = co_await api_->open(std::move(start), k_limit);
    co_return make_exec_session(api_, take_stream(*exchange, tty, "/exec/" + encode_path(id) + "/resize"), id);
}

awaitable<void> DockerEngine::turn_into_mount(const std::string& container, std::string& path, ReadPiece& tar)
{
    Request inspection("GET", container_path(container, "/json"));
    const auto answer = co_await api_->json(std::move(inspection), k_limit);
    const auto folders = mounts_below(answer, path);
    if (folders.empty())
        co_return;
    std::string head;
    std::optional<std::string> first;
    RenamedMembers probe([&first](const std::string& name) {
        if (!first)
            first = name;
        return name;
    });
    while (!first) {
        const std::string piece = co_await tar();
        if (piece.empty())
            break;
        head += piece;
        (void)probe.feed(piece);
    }
    auto rename = beside(folders);
    const auto mounted = std::find_if(folders.begin(), folders.end(),
                                      [&first](const auto& folder) { return first && is_member_of(folder, *first); });
    if (mounted != folders.end()) {
        rename = inside_of(*mounted);
        path += (path.ends_with('/') ? "" : "/") + *mounted;
    }
    const auto resumed = std::make_shared<Resumed>(Resumed{std::move(tar), std::move(head), RenamedMembers(std::move(rename))});
    tar = [resumed]() -> awaitable<std::string> { return resumed->next(); };
}

awaitable<void> DockerEngine::upload(const std::string& container, const std::string& to, ReadPiece tar)
{
    co_await api_->connect();
    auto path = to;
    if (dialect().podman)
        co_await turn_into_mount(container, path, tar);
    Request request("PUT", container_path(container, "/archive?path=" + encode_query(path)));
    request.content_type = "application/x-tar";
    request.stream = std::move(tar);
    const auto exchange = co_await api_->open(std::move(request), k_limit);
    (void)co_await with_deadline(k_limit, "upload to a container", exchange->read_all(64 * 1024));
}

awaitable<void> DockerEngine::download(const std::string& container, const std::string& path, WritePiece tar)
{
    Request request("GET", container_path(container, "/archive?path=" + encode_query(path)));
    const auto exchange = co_await api_->open(std::move(request), k_idle_limit);
    std::optional<RenamedMembers> names;
    if (dialect().podman)
        names.emplace(root_named(file_name_of(path)));
    for (;;) {
        std::string piece = co_await with_deadline(k_idle_limit, "download from a container", exchange->read());
        const bool ends = piece.empty();
        if (names && !ends)
            piece = names->feed(piece);
        if (!piece.empty() || ends)
            co_await tar(piece);
        if (ends)
            co_return;
    }
}

// The daemon packs a file in a process of its own, and looks at it without one: a tenth of the time.
awaitable<std::string> DockerEngine::follow_link(const std::string& container, const std::string& path)
{
    Request request("HEAD", container_path(container, "/archive?path=" + encode_query(path)));
    const auto exchange = co_await api_->open_any(std::move(request), k_limit);
    co_await with_deadline(k_limit, "look at a file in a container", exchange->read_all(0)); // none, and the connection is free again
    const bool is_missing = exchange->status() == 404 || exchange->status() == 500; // a file on the way; an answer to HEAD has no words
    if (exchange->status() >= 400)
        throw Error(is_missing ? Errc::not_found : Errc::internal,
                    fmt::format("no such file in container {}: {}", container, terminal_safe(path)));
    if (dialect().podman) // names a target of everything, from the root of the volume; its archives follow links themselves
        co_return std::string();
    const auto told = base64_decode(exchange->header("X-Docker-Container-Path-Stat"));
    co_return told ? text_field(parse_json(*told), "linkTarget") : std::string();
}

} // namespace gantry::engine::docker

#include "engine/docker/attachment.hpp"
#include "engine/docker/docker_engine.hpp"

#include <fmt/format.h>

// What moves bytes: attach, exec, and the archive calls.

namespace gantry::engine::docker {

namespace {

constexpr auto k_idle_limit = 120s; // between two pieces of an archive

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

awaitable<void> DockerEngine::upload(const std::string& container, const std::string& path, ReadPiece tar)
{
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
    for (;;) {
        const std::string piece = co_await with_deadline(k_idle_limit, "download from a container", exchange->read());
        co_await tar(piece);
        if (piece.empty())
            co_return;
    }
}

} // namespace gantry::engine::docker

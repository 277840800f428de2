#include "runner/build_context.hpp"

#include "base/format.hpp"
#include "runner/context_filter.hpp"
#include "runner/dockerfile.hpp"
#include "runner/packed_dockerfile.hpp"
#include "runner/piece_pipe.hpp"
#include "runner/workspace_link.hpp"

#include <fmt/format.h>

#include <utility>

namespace gantry::runner {

namespace {

constexpr std::size_t k_small_file_bytes = 1 << 20;
// Between the engine's archive and the engine's builder.
constexpr std::size_t k_pipe_bytes = 1 << 20;
// A Dockerfile that comes from elsewhere gets this name in the context, and a line in .dockerignore: then the builder takes it
// away before any COPY sees it.
const std::string k_added_name = ".dockerfile.gantry";
const std::string k_ignore_name = ".dockerignore";
constexpr const char* k_context_hint = "a context is a folder, an archive of one (.tar, .tar.gz, …), or the address of a git repository";

std::string in_repository(const std::string& path)
{
    const auto top = std::string(k_workspace) + "/";
    return path.starts_with(top) ? path.substr(top.size()) : path;
}

// Of what was sent as an archive, before any instruction: engines have no code of their own for that.
bool tells_bad_archive(const Error& error)
{
    const std::string_view words = error.what();
    return words == "unexpected EOF" || words.find("archive/tar: ") != std::string_view::npos;
}

} // namespace

BuildContext::BuildContext(engine::Engine& engine, asio::thread_pool* pool, std::string carrier, LoweredBuild build)
    : engine_(engine), pool_(pool), carrier_(std::move(carrier)), build_(std::move(build))
{
}

// Nothing when it is not there. What is there and cannot be read is not passed over: a .dockerignore may hide secrets.
awaitable<std::optional<std::string>> BuildContext::read_small(std::string path)
{
    ContextFilter::Options options;
    options.is_file = true;
    ContextFilter filter(std::move(options));
    std::string text;
    engine::WritePiece take = [&](std::string_view piece) -> awaitable<void> {
        if (piece.empty())
            filter.finish(text);
        else
            filter.feed(piece, text);
        if (text.size() > k_small_file_bytes)
            throw Error(Errc::bad_input, "it is larger than 1 MB");
        co_return;
    };
    try {
        co_await engine_.download(carrier_, path, take);
    } catch (Error& error) {
        if (error.code() == Errc::not_found)
            co_return std::nullopt;
        if (is_behind_a_file(error))
            throw Error(Errc::bad_input, fmt::format("build.context: {} is no folder", in_repository(build_.context)), k_context_hint);
        error.add_context(in_repository(path));
        throw;
    }
    co_return text;
}

awaitable<std::string> BuildContext::followed(std::string path, const char* key)
{
    return in_context(std::string(key), follow_in_workspace(engine_, carrier_, std::move(path)));
}

awaitable<void> BuildContext::open()
{
    name_ = build_.spec.dockerfile;
    if (build_.context.empty())
        co_return;
    const auto written = build_.context;
    build_.context = co_await followed(written, "build.context");
    if (build_.is_archive)
        co_return;
    const auto inside = build_.context + "/" + build_.spec.dockerfile;
    auto ignore = co_await read_small(inside + k_ignore_name);
    if (!ignore)
        ignore = co_await read_small(build_.context + "/" + k_ignore_name);
    ignore_ = ignore.value_or("");
    if (build_.inline_dockerfile) {
        name_ = "Dockerfile (inline)";
        added_dockerfile_ = build_.inline_dockerfile;
    } else if (!build_.outside_dockerfile.empty()) {
        name_ = in_repository(build_.outside_dockerfile);
        auto real = co_await followed(build_.outside_dockerfile, "build.dockerfile");
        co_await read_outside_dockerfile(std::move(real));
    } else {
        name_ = in_repository(written + "/" + build_.spec.dockerfile);
        // Of a link the builder gets what it leads to, so that this is sent whatever .dockerignore says.
        auto real = co_await followed(inside, "build.dockerfile");
        if (real.starts_with(build_.context + "/"))
            build_.spec.dockerfile = real.substr(build_.context.size() + 1);
        else
            co_await read_outside_dockerfile(std::move(real));
    }
    if (added_dockerfile_) {
        understand(*added_dockerfile_);
        build_.spec.dockerfile = k_added_name;
    }
}

awaitable<void> BuildContext::read_outside_dockerfile(std::string path)
{
    added_dockerfile_ = co_await read_small(std::move(path));
    if (!added_dockerfile_)
        throw Error(Errc::bad_input, "build.dockerfile: there is no " + name_, "it is relative to the context");
}

void BuildContext::understand(const std::string& dockerfile)
{
    lines_ = instruction_lines(dockerfile);
    if (const auto line = line_of_arguments_alone(dockerfile))
        throw Error(Errc::bad_input, fmt::format("{}:{}: there is no FROM", name_, *line),
                    "name the image that it builds on: FROM debian:bookworm, or FROM scratch");
}

awaitable<BuildContext::Sent> BuildContext::send(PiecePipe& pipe)
{
    ContextFilter::Options options;
    options.rules = IgnoreRules(ignore_);
    options.keep = {build_.spec.dockerfile, k_ignore_name};
    options.is_file = build_.is_archive;
    if (!added_dockerfile_ && !build_.is_archive)
        options.shown = build_.spec.dockerfile;
    std::string start;
    if (added_dockerfile_) {
        options.replaced = {k_added_name, k_ignore_name};
        ContextFilter::add_file(k_added_name, *added_dockerfile_, start);
        ContextFilter::add_file(k_ignore_name, (ignore_.empty() ? k_ignore_name : ignore_) + "\n" + k_added_name + "\n", start);
    }
    ContextFilter filter(std::move(options));
    PackedDockerfile packed(build_.spec.dockerfile);
    co_await pipe.write(std::move(start));
    engine::WritePiece take = [&](std::string_view piece) -> awaitable<void> {
        std::string out;
        if (piece.empty())
            filter.finish(out);
        else
            filter.feed(piece, out);
        if (build_.is_archive)
            packed.see(out);
        if (piece.empty() && filter.shown())
            understand(*filter.shown()); // the builder starts at the archive's end: what is wrong is told instead of that
        co_await pipe.write(std::move(out));
    };
    try {
        co_await engine_.download(carrier_, build_.context, take);
    } catch (const Error& error) {
        if (error.code() == Errc::not_found)
            throw Error(Errc::bad_input, fmt::format("build.context: there is no {}", in_repository(build_.context)),
                        "it is relative to the root of the repository");
        if (error.code() == Errc::bad_input && build_.is_archive)
            throw Error(Errc::bad_input, fmt::format("build.context: {}: {}", in_repository(build_.context), error.what()), k_context_hint);
        throw;
    }
    if (build_.is_archive) {
        auto find = [&packed] { return instruction_lines(packed.find().value_or("")); };
        lines_ = co_await on_pool(pool_, std::move(find));
    }
    Sent sum;
    sum.files = filter.files();
    sum.bytes = filter.bytes();
    co_return sum;
}

awaitable<engine::BuildResult> BuildContext::build(engine::TellBuild tell, std::function<void(Sent)> sent)
{
    if (build_.context.empty()) {
        engine::ReadPiece nothing = []() -> awaitable<std::string> { co_return std::string(); };
        co_return co_await engine_.build_image(build_.spec, nothing, tell);
    }
    PiecePipe pipe(co_await asio::this_coro::executor, k_pipe_bytes);
    // Its failure reaches the builder through the pipe, and comes out of there: one failure, not two.
    auto sending = [&]() -> awaitable<void> {
        try {
            const auto sum = co_await send(pipe);
            sent(sum);
            pipe.close();
        } catch (...) {
            pipe.fail(std::current_exception());
        }
    };
    engine::BuildResult result;
    bool has_begun = false;
    engine::TellBuild tell_begun = [&](const engine::BuildEvent& event) {
        has_begun = true;
        return tell(event);
    };
    auto building = [&]() -> awaitable<void> {
        engine::ReadPiece read = [&pipe]() -> awaitable<std::string> { return pipe.read(); };
        try {
            result = co_await engine_.build_image(build_.spec, read, tell_begun);
        } catch (const Error& error) {
            if (build_.is_archive && !has_begun && tells_bad_archive(error))
                throw Error(Errc::bad_input, fmt::format("build.context: {} cannot be read: {}", in_repository(build_.context), error.what()),
                            k_context_hint);
            throw;
        }
        pipe.abandon();
    };
    co_await both(sending(), building());
    co_return result;
}

} // namespace gantry::runner

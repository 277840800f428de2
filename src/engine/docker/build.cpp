#include "engine/docker/build_messages.hpp"
#include "engine/docker/credentials.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/platform.hpp"
#include "engine/docker/pull.hpp"

#include "base/image_reference.hpp"

#include "base/format.hpp"

#include <fmt/format.h>

#include <utility>

namespace gantry::engine::docker {

namespace {

constexpr auto k_header_limit = 600s; // the engine clones a remote context first

// Docker takes a repository's branch `master` where nothing is said of which; git knows the one that is its own.
std::string with_own_branch(const std::string& remote)
{
    const auto hash = remote.find('#');
    if (hash == std::string::npos)
        return remote.empty() ? remote : remote + "#HEAD";
    const bool names_one = hash + 1 < remote.size() && remote[hash + 1] != ':';
    return names_one ? remote : remote.substr(0, hash) + "#HEAD" + remote.substr(hash + 1);
}

std::string query_of(const BuildSpec& spec, const Dialect& dialect)
{
    // What the builder makes on its way is removed even when it fails.
    std::string query = "/build?rm=1&forcerm=1&dockerfile=" + encode_query(spec.dockerfile);
    const auto add = [&query](const char* name, const std::string& value) {
        if (!value.empty())
            query += fmt::format("&{}={}", name, encode_query(value));
    };
    for (const auto& tag : spec.tags)
        add("t", tag);
    add("remote", dialect.podman ? spec.remote : with_own_branch(spec.remote));
    add("target", spec.target);
    add("platform", spec.platform);
    add("networkmode", spec.network_mode);
    Json args = Json::object();
    for (const auto& [name, value] : spec.args)
        args[name] = value;
    if (!args.empty())
        add("buildargs", dump(args));
    if (!spec.labels.empty())
        add("labels", dump(Json(spec.labels)));
    // Podman takes repositories without tags alone, and layers of any image that is here without being told.
    if (!spec.cache_from.empty() && !dialect.podman)
        add("cachefrom", dump(Json(spec.cache_from)));
    for (const auto& host : spec.extra_hosts)
        add("extrahosts", host);
    if (spec.shm_size_bytes)
        add("shmsize", std::to_string(*spec.shm_size_bytes));
    if (spec.pull)
        query += "&pull=1";
    if (spec.no_cache)
        query += "&nocache=1";
    return query;
}

// What COPY --from= names, and no stage is called, Docker looks for in a registry.
Error with_stage_meant(Error error)
{
    constexpr std::string_view k_begin = "invalid from flag value ";
    const std::string_view words = error.what();
    if (!words.starts_with(k_begin))
        return error;
    const auto name = words.substr(k_begin.size(), words.find(": ", k_begin.size()) - k_begin.size());
    if (name.find_first_of("/:@") != std::string_view::npos)
        return error;
    auto hint = fmt::format("no stage above it is called that: FROM … AS {}", terminal_safe(name));
    if (!error.hint().empty())
        hint += "; if an image is meant: " + error.hint();
    return std::move(error).with_hint(std::move(hint));
}

// Throws what is no instruction's own failure.
BuildResult failed_build(const BuildMessages& messages)
{
    if (messages.step() == 0) // nothing began: it is about the Dockerfile
        throw engine_error(messages.error(), Errc::bad_input);
    auto error = engine_error(messages.error(), Errc::not_found);
    const auto begins = [&](std::string_view words) { return messages.error().starts_with(words); };
    const bool of_instruction =
        messages.exit_code() != 0 || begins("COPY failed") || begins("ADD failed") || begins("building at STEP "); // Podman's words
    // A command that could not even begin: internal stands for nothing that a Dockerfile could be blamed for.
    const bool of_engine = error.code() == Errc::internal || messages.fetches();
    const bool says_why = error.code() == Errc::no_space || (of_engine && !of_instruction);
    if (says_why && messages.exit_code() == 0)
        throw with_stage_meant(std::move(error));
    BuildResult result;
    result.step = messages.step();
    result.exit_code = messages.exit_code() > 0 && messages.exit_code() < 256 ? messages.exit_code() : 1;
    result.error = messages.error();
    return result;
}

// The builder takes a base image that is here whatever its platform is.
void check_platform(const ImageInfo& image, const std::string& asked)
{
    if (!asked.empty() && !is_of_platform(image, asked))
        throw Error(Errc::not_found,
                    fmt::format("the image was made for {}/{}, and not for {}: a base image for that is not here",
                                terminal_safe(image.os), terminal_safe(image.architecture), terminal_safe(asked)),
                    "add 'pull: true' to the build: the registry is then asked for base images of that platform");
}

// A registry that hangs would hold the builder up for good; a command of the Dockerfile may be silent as long as it likes.
awaitable<std::string> read_words(Exchange& exchange, bool from_registry, std::chrono::nanoseconds silence_limit)
{
    if (!from_registry)
        co_return co_await exchange.read();
    try {
        co_return co_await with_deadline(silence_limit, "the builder's pull of a base image", exchange.read());
    } catch (Error& error) {
        if (error.code() == Errc::timed_out)
            throw std::move(error).with_hint("can the engine reach the registry of the image in FROM?");
        throw;
    }
}

} // namespace

awaitable<BuildResult> DockerEngine::build_image(const BuildSpec& spec, ReadPiece context, TellBuild tell)
{
    for (const auto& tag : spec.tags)
        (void)parse_image_reference(tag); // the daemon would not say which one is wrong, and only after the context was sent
    co_await api_->connect();
    Request request("POST", query_of(spec, dialect()));
    request.content_type = "application/x-tar";
    if (spec.remote.empty())
        request.stream = std::move(context);
    const Secret auth = co_await registry_config(api_->pool(), api_->options().config_dir);
    if (!auth.empty())
        request.headers.emplace_back("X-Registry-Config", auth.reveal());
    const auto exchange = co_await api_->open(std::move(request), k_header_limit);

    JsonLines lines;
    BuildMessages messages;
    for (;;) {
        const std::string piece = co_await read_words(*exchange, messages.awaits_base_image(), api_->options().silence_limit);
        if (piece.empty())
            break;
        lines.feed(piece);
        while (const auto message = lines.next())
            if (const auto event = messages.add(*message))
                co_await tell(*event);
    }
    if (!messages.error().empty())
        co_return failed_build(messages);
    if (messages.image_id().empty())
        throw Error(Errc::internal, "the engine's builder ended without an image");
    BuildResult result;
    result.step = messages.step();
    result.image = co_await existing_image(messages.image_id());
    check_platform(*result.image, spec.platform);
    co_return result;
}

} // namespace gantry::engine::docker

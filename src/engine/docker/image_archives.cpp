#include "engine/docker/docker_engine.hpp"
#include "engine/docker/pull.hpp" // JsonLines

#include "base/format.hpp"

// Archives of images, from and to the daemon.

namespace gantry::engine::docker {

namespace {

constexpr auto k_silence_limit = 120s;
constexpr auto k_load_limit = 600s;

// "Loaded image: shop:1" or "Loaded image ID: sha256:…"; empty for anything else.
std::string loaded_image(const std::string& line)
{
    for (const std::string_view start : {"Loaded image ID: ", "Loaded image: ", "Loaded image(s): "})
        if (line.starts_with(start))
            return std::string(trim(line.substr(start.size())));
    return {};
}

} // namespace

awaitable<void> DockerEngine::save_images(const std::vector<std::string>& images, WritePiece archive)
{
    co_await api_->connect();
    for (const auto& image : images) // the daemon's archive of what it does not have ends in the middle
        co_await existing_image(image);
    std::string names;
    for (const auto& image : images)
        names += (names.empty() ? "?names=" : "&names=") + encode_query(image);
    Request request("GET", "/images/get" + names);
    const auto exchange = co_await api_->open(std::move(request), k_load_limit);
    for (;;) {
        const std::string piece = co_await with_deadline(k_silence_limit, "save images", exchange->read());
        if (piece.empty())
            co_return;
        co_await archive(piece);
    }
}

awaitable<std::vector<std::string>> DockerEngine::load_images(ReadPiece archive)
{
    co_await api_->connect();
    Request request("POST", "/images/load?quiet=1");
    request.content_type = "application/x-tar";
    request.stream = std::move(archive);
    const auto exchange = co_await api_->open_any(std::move(request), k_load_limit);
    if (exchange->status() >= 400) {
        const auto body = co_await with_deadline(k_limit, "load images", exchange->read_all(1024 * 1024));
        // The daemon answers 500 for an archive that it cannot read.
        auto error = refused(exchange->status(), body);
        throw error.code() == Errc::no_space ? error : Error(Errc::bad_input, error.what());
    }
    std::vector<std::string> loaded;
    JsonLines lines;
    for (;;) {
        const std::string piece = co_await with_deadline(k_load_limit, "load images", exchange->read());
        if (piece.empty())
            break;
        lines.feed(piece);
        while (const auto message = lines.next()) {
            if (const auto error = text_field(*message, "error"); !error.empty())
                throw engine_error(error, Errc::bad_input);
            for (const auto& line : split(text_field(*message, "stream"), '\n'))
                if (auto image = loaded_image(line); !image.empty())
                    loaded.push_back(std::move(image));
        }
    }
    if (loaded.empty())
        throw Error(Errc::bad_input, "there is no image in this archive");
    co_return loaded;
}

} // namespace gantry::engine::docker

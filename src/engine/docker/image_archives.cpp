#include "engine/docker/docker_engine.hpp"
#include "engine/docker/pull.hpp" // JsonLines

#include "base/format.hpp"
#include "base/image_reference.hpp"

#include <algorithm>

// Archives of images, from and to the daemon.

namespace gantry::engine::docker {

namespace {

constexpr auto k_silence_limit = 120s;
constexpr auto k_first_byte_limit = 600s; // the daemon packs all layers before it speaks
constexpr auto k_load_limit = 600s;
constexpr std::size_t k_refusal_limit_bytes = 1024 * 1024;

// A name that the daemon would take for all tags of a repository; everywhere else it means ":latest".
bool has_no_tag(const std::string& image)
{
    const auto last = image.rfind('/') + 1;
    return image.find_first_of(":@", last) == std::string::npos;
}

// The end of a tar archive as it passes by: two blocks of zeros. A daemon that fails in the middle has no way left to say so
// but in the archive, and then closes it as if it were whole.
class ArchiveEnd {
public:
    void feed(std::string_view piece)
    {
        end_.append(piece);
        if (end_.size() > k_zeros)
            end_.erase(0, end_.size() - k_zeros);
    }

    // Throws unless the archive is whole, with the daemon's own words where it left some.
    void check() const
    {
        if (end_.size() == k_zeros && end_.find_first_not_of('\0') == std::string::npos)
            return;
        const auto begin = end_.rfind("{\"errorDetail\"");
        if (begin != std::string::npos)
            if (const auto message = Json::parse(end_.substr(begin), nullptr, false); !message.is_discarded())
                throw engine_error(text_field(message, "error"), Errc::internal);
        throw Error(Errc::unavailable, "the container engine's archive breaks off");
    }

private:
    static constexpr std::size_t k_zeros = 1024;
    std::string end_;
};

// The images of a line such as "Loaded image: shop:1", "Loaded image ID: sha256:…" or "Loaded image(s): a:1,b:2".
std::vector<std::string> loaded_images(const std::string& line)
{
    for (const std::string_view start : {"Loaded image ID: ", "Loaded image: ", "Loaded image(s): "})
        if (line.starts_with(start))
            return split(trim(std::string_view(line).substr(start.size())), ',');
    return {};
}

// A daemon has the status 500 for an archive that it cannot read. What its words say of networks is about its own layers.
Error load_error(const std::string& message)
{
    auto error = engine_error(message, Errc::bad_input);
    if (error.code() == Errc::no_space)
        return error;
    return Error(Errc::bad_input, "cannot load this archive: " + message, "it has to be one of 'gantry image save' or 'docker save'");
}

} // namespace

awaitable<void> DockerEngine::save_images(const std::vector<std::string>& images, WritePiece archive)
{
    std::string names;
    for (const auto& image : images) { // an archive of what the daemon does not have would end in the middle
        (void)parse_image_reference(image);
        auto name = has_no_tag(image) ? image + ":latest" : image;
        const auto found = co_await find_image(name);
        if (!found) {
            co_await existing_image(image);
            name = image; // an id
        }
        names += (names.empty() ? "?names=" : "&names=") + encode_query(name);
    }
    Request request("GET", "/images/get" + names);
    const auto exchange = co_await api_->open(std::move(request), k_first_byte_limit);
    ArchiveEnd end;
    for (;;) {
        const std::string piece = co_await with_deadline(k_silence_limit, "save images", exchange->read());
        if (piece.empty())
            end.check();
        co_await archive(piece);
        if (piece.empty())
            co_return;
        end.feed(piece);
    }
}

awaitable<std::vector<std::string>> DockerEngine::load_images(ReadPiece archive)
{
    Request request("POST", "/images/load?quiet=1");
    request.content_type = "application/x-tar";
    request.stream = std::move(archive);
    const auto exchange = co_await api_->open_any(std::move(request), k_load_limit);
    if (exchange->status() >= 400) {
        const auto body = co_await with_deadline(k_limit, "load images", exchange->read_all(k_refusal_limit_bytes));
        const auto error = refused(exchange->status(), body);
        throw exchange->status() == 400 || exchange->status() == 500 ? load_error(error.what()) : error;
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
                throw load_error(error);
            for (const auto& line : split(text_field(*message, "stream"), '\n'))
                for (const auto& image : loaded_images(line))
                    if (const auto name = familiar_name(image); std::find(loaded.begin(), loaded.end(), name) == loaded.end())
                        loaded.push_back(name);
        }
    }
    if (loaded.empty())
        throw Error(Errc::bad_input, "there is no image in this archive");
    co_return loaded;
}

} // namespace gantry::engine::docker

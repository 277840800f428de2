#include "engine/docker/credentials.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/pull.hpp"

#include "base/clock.hpp"
#include "base/image_reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

// Names of images, and their way to a registry.

namespace gantry::engine::docker {

namespace {

// How much longer than otherwise a registry is left alone that says it is asked too often. Docker's API tells its words, not
// its Retry-After.
constexpr int k_rate_factor = 10;
// The API wants the header of those, too, who have no credentials: {}.
constexpr const char* k_anonymous = "e30=";

// Adds up the messages of POST /images/{name}/push.
class PushMeter {
public:
    explicit PushMeter(std::string image) : image_(std::move(image)) {}

    void add(const Json& message)
    {
        if (auto error = text_field(field(message, "errorDetail"), "message"); !error.empty())
            error_ = std::move(error);
        else if (error = text_field(message, "error"); !error.empty() && error_.empty())
            error_ = std::move(error);
        if (auto digest = text_field(field(message, "aux"), "Digest"); !digest.empty())
            digest_ = std::move(digest);
        const auto id = text_field(message, "id");
        const auto status = text_field(message, "status");
        retried_ = retried_ || status.starts_with("Retrying in ");
        if (id.empty() && digest_.empty())
            digest_ = digest_in(status);
        if (!id.empty())
            add_layer(layers_[id], status, field(message, "progressDetail"));
    }

    PushProgress progress() const
    {
        PushProgress sum;
        sum.image = image_;
        for (const auto& [id, layer] : layers_) {
            ++sum.layers_total;
            sum.layers_done += layer.done ? 1 : 0;
            sum.layers_there += layer.there ? 1 : 0;
            sum.bytes_total += layer.bytes_total;
            sum.bytes_done += std::min(layer.bytes_done, layer.bytes_total);
        }
        return sum;
    }

    const std::string& error() const { return error_; }
    const std::string& digest() const { return digest_; }
    // The daemon has sent a layer again by itself.
    bool retried() const { return retried_; }

private:
    struct Layer {
        std::uint64_t bytes_total = 0, bytes_done = 0;
        bool done = false, there = false;
    };

    // Of "1.0: digest: sha256:0123… size: 405", which is all that an engine with containerd's image store says.
    static std::string digest_in(std::string_view status)
    {
        constexpr std::string_view k_word = ": digest: ";
        const auto word = status.find(k_word);
        if (word == std::string_view::npos)
            return {};
        const auto digest = status.substr(word + k_word.size());
        return std::string(digest.substr(0, digest.find(' ')));
    }

    static void add_layer(Layer& layer, const std::string& status, const Json& detail)
    {
        if (status == "Pushing") {
            layer.bytes_total = std::max(layer.bytes_total, count_field(detail, "total"));
            layer.bytes_done = count_field(detail, "current"); // a second try begins anew
        } else if (status == "Layer already exists" || status.starts_with("Mounted from")) {
            layer.done = layer.there = true;
        } else if (status == "Pushed") {
            layer.done = true;
            layer.bytes_done = layer.bytes_total;
        }
    }

    std::string image_, error_, digest_;
    std::map<std::string, Layer> layers_;
    bool retried_ = false;
};

awaitable<void> read_messages(ReadPiece read, PushMeter& meter,
                              const std::function<void(const PushProgress&)>& progress)
{
    JsonLines lines;
    auto next_report = system_clock().now();
    for (;;) {
        const std::string piece = co_await read();
        if (piece.empty())
            break;
        lines.feed(piece);
        while (const auto message = lines.next())
            meter.add(*message);
        if (const auto now = system_clock().now(); progress && now >= next_report) {
            next_report = now + k_progress_interval;
            progress(meter.progress());
        }
    }
    if (progress)
        progress(meter.progress());
}

// `tries_left` becomes 0 when the daemon itself has tried often enough.
awaitable<Pushed> push_once(Api& api, const ImageReference& reference, const std::string& image,
                            const std::function<void(const PushProgress&)>& progress, int& tries_left)
{
    Request request("POST", fmt::format("/images/{}/push?tag={}", encode_path(reference.name()), encode_query(reference.tag)));
    const Secret auth = co_await registry_auth(api.pool(), api.options().config_dir, reference.registry);
    request.headers.emplace_back("X-Registry-Auth", auth.empty() ? k_anonymous : auth.reveal());
    const std::chrono::nanoseconds silence_limit = api.options().silence_limit;
    const auto exchange =
        co_await from_registry(reference.registry, silence_limit, api.open_any(std::move(request), silence_limit));
    if (exchange->status() >= 400) {
        const auto body = co_await with_deadline(k_limit, "push", exchange->read_all(1024 * 1024));
        throw pull_refused(exchange->status(), body);
    }
    PushMeter meter(image);
    const ReadPiece read = [&] {
        return from_registry(reference.registry, silence_limit, with_deadline(silence_limit, "push", exchange->read()));
    };
    co_await read_messages(read, meter, progress);
    if (meter.retried())
        tries_left = 0;
    if (!meter.error().empty())
        throw engine_error(meter.error(), Errc::internal);
    // An answer that ends without one was cut off.
    if (meter.digest().empty())
        throw Error(Errc::unavailable, "the push ended without the registry's word for it");
    const auto sum = meter.progress();
    Pushed pushed;
    pushed.digest = meter.digest();
    pushed.layers = sum.layers_total;
    pushed.layers_there = sum.layers_there;
    co_return pushed;
}

} // namespace

awaitable<void> DockerEngine::tag_image(const std::string& image, const std::string& tag)
{
    const auto reference = parse_image_reference(tag);
    if (!reference.digest.empty())
        throw Error(Errc::bad_input, "'" + tag + "' has a digest: nothing can be named that");
    Request request("POST", fmt::format("/images/{}/tag?repo={}&tag={}", encode_path(image), encode_query(reference.name()),
                                        encode_query(reference.tag)));
    co_await api_->send(std::move(request), k_limit);
}

awaitable<Pushed> DockerEngine::push_image(const std::string& image, std::function<void(const PushProgress&)> progress)
{
    const auto reference = parse_image_reference(image);
    if (!reference.digest.empty())
        throw Error(Errc::bad_input, "'" + image + "' has a digest: push it by a tag");
    asio::steady_timer timer(co_await asio::this_coro::executor);
    int tries_left = k_registry_tries;
    for (int attempt = 1;; ++attempt) {
        std::chrono::nanoseconds pause{0};
        --tries_left;
        try {
            co_return co_await push_once(*api_, reference, image, progress, tries_left);
        } catch (Error& error) {
            if (error.code() != Errc::unavailable)
                throw;
            if (tries_left == 0) {
                error.add_context(attempt == k_registry_tries ? fmt::format("after {} tries", attempt) : "after several tries");
                throw;
            }
            pause = retry_pause(attempt, api_->options().retry_delay * (limits_rate(error) ? k_rate_factor : 1));
        }
        timer.expires_after(pause);
        co_await timer.async_wait(use_awaitable);
    }
}

} // namespace gantry::engine::docker

#include "engine/docker/answers.hpp"
#include "engine/docker/credentials.hpp"
#include "engine/docker/docker_engine.hpp"
#include "engine/docker/platform.hpp"
#include "engine/docker/pull.hpp"

#include "base/clock.hpp"
#include "base/format.hpp"
#include "base/image_reference.hpp"

#include <fmt/format.h>

#include <utility>

namespace gantry::engine::docker {

namespace {

constexpr auto k_image_limit = 600s; // writing a layer
constexpr int k_variants_minor = 47; // of the API, from which images are listed with their variants

std::string create_target(const ImageReference& reference, const std::string& platform)
{
    auto target = fmt::format("/images/create?fromImage={}&tag={}", encode_query(reference.name()),
                              encode_query(reference.digest.empty() ? reference.tag : reference.digest));
    if (!platform.empty())
        target += "&platform=" + encode_query(platform);
    return target;
}

// Reads the messages of a pull or an import to the end, with `on_messages` after each batch. Throws what they report.
awaitable<void> read_messages(ReadPiece read, PullMeter& meter, std::function<void()> on_messages)
{
    JsonLines lines;
    for (;;) {
        const std::string piece = co_await read();
        if (piece.empty())
            break;
        lines.feed(piece);
        while (const auto message = lines.next())
            meter.add(*message);
        on_messages();
    }
    if (!meter.error().empty())
        throw engine_error(meter.error(), Errc::internal);
}

awaitable<void> pull_once(Api& api, const ImageReference& reference, const std::string& platform, PullInFlight& flight,
                          const std::string& image)
{
    Request request("POST", create_target(reference, platform));
    const Secret auth = co_await registry_auth(api.pool(), api.options().config_dir, reference.registry);
    if (!auth.empty())
        request.headers.emplace_back("X-Registry-Auth", auth.reveal());
    const std::chrono::nanoseconds silence_limit = api.options().silence_limit;
    const auto exchange =
        co_await from_registry(reference.registry, silence_limit, api.open_any(std::move(request), silence_limit));
    if (exchange->status() >= 400) {
        const auto body = co_await with_deadline(k_limit, "pull", exchange->read_all(1024 * 1024));
        throw pull_refused(exchange->status(), body);
    }
    PullMeter meter(image);
    const auto report = [&] {
        const auto progress = meter.progress();
        for (const auto& listener : flight.listeners)
            listener(progress);
    };
    auto next_report = system_clock().now();
    auto report_now_and_then = [&] {
        if (const auto now = system_clock().now(); now >= next_report) {
            next_report = now + k_progress_interval;
            report();
        }
    };
    const ReadPiece read = [&] {
        return from_registry(reference.registry, silence_limit, with_deadline(silence_limit, "pull", exchange->read()));
    };
    co_await read_messages(read, meter, std::ref(report_now_and_then));
    report();
}

// An engine with containerd's image store keeps the variants of an image side by side, and tells of the one for its own host.
// From API 1.47 it lists them.
awaitable<bool> has_variant(Api& api, const std::string& image, const std::string& platform)
{
    if (api.negotiated().api_minor < k_variants_minor)
        co_return false;
    const Json filter = {{"reference", {familiar_name(full_name(image))}}};
    Request request("GET", "/images/json?manifests=1&filters=" + encode_query(dump(filter)));
    const auto answer = co_await api.json(std::move(request), k_limit);
    for (const auto& item : items_of(answer))
        for (const auto& manifest : items_of(field(item, "Manifests"))) {
            const auto& has = field(field(manifest, "ImageData"), "Platform");
            ImageInfo variant;
            variant.os = text_field(has, "os");
            variant.architecture = text_field(has, "architecture");
            if (flag_field(manifest, "Available") && !variant.architecture.empty() && is_of_platform(variant, platform))
                co_return true;
        }
    co_return false;
}

std::string command_change(const std::vector<std::string>& command)
{
    return "CMD " + dump(Json(command));
}

std::string changes_query(const Labels& labels, const std::vector<std::string>& command)
{
    std::string query;
    for (const auto& [key, value] : labels)
        query += "&changes=" + encode_query(label_change(key, value));
    if (!command.empty())
        query += "&changes=" + encode_query(command_change(command));
    return query;
}

ReadPiece pieces_of(std::string bytes)
{
    constexpr std::size_t k_piece_bytes = 256 * 1024;
    struct State {
        std::string bytes;
        std::size_t used = 0;
    };
    auto state = std::make_shared<State>();
    state->bytes = std::move(bytes);
    return [state]() -> awaitable<std::string> {
        auto piece = state->bytes.substr(state->used, k_piece_bytes);
        state->used += piece.size();
        co_return piece;
    };
}

} // namespace

awaitable<std::optional<ImageInfo>> DockerEngine::find_image(const std::string& image)
{
    (void)parse_image_reference(image); // of another path than an image's the daemon would make a page
    Request request("GET", "/images/" + encode_path(image) + "/json");
    const auto answer = co_await api_->call(std::move(request), k_limit);
    if (answer.status == 404)
        co_return std::nullopt;
    check(answer);
    co_return image_info(parse_json(answer.body), image);
}

awaitable<ImageInfo> DockerEngine::existing_image(const std::string& image)
{
    auto found = co_await find_image(image);
    if (!found)
        throw Error(Errc::not_found, "no such image: " + image);
    co_return std::move(*found);
}

awaitable<ImageInfo> DockerEngine::pull_image(const std::string& image, const std::string& platform,
                                              std::function<void(const PullProgress&)> progress)
{
    const auto key = image + '\n' + platform;
    const auto executor = co_await asio::this_coro::executor;
    auto& slot = pulls_[key];
    if (!slot)
        slot = std::make_shared<PullInFlight>(executor);
    const auto flight = slot;
    const auto listener = flight->listeners.insert(
        flight->listeners.end(), progress ? std::move(progress) : PullInFlight::Listener([](const PullProgress&) {}));

    bool leads = false;
    std::exception_ptr interrupted;
    try {
        while (!flight->result && !flight->failure) {
            if (flight->led) {
                co_await flight->changed.wait();
                continue;
            }
            flight->led = leads = true;
            flight->result = co_await pull_alone(image, platform, *flight);
        }
    } catch (...) {
        const auto failure = std::current_exception();
        (is_cancellation(failure) ? interrupted : flight->failure) = failure;
    }
    flight->listeners.erase(listener);
    if (leads)
        flight->led = false; // after a cancellation somebody else goes on
    if (flight->result || flight->failure || flight->listeners.empty()) {
        const auto found = pulls_.find(key);
        if (found != pulls_.end() && found->second == flight)
            pulls_.erase(found);
    }
    flight->changed.notify_all();
    if (interrupted)
        std::rethrow_exception(interrupted);
    if (flight->failure)
        std::rethrow_exception(flight->failure);
    co_return *flight->result;
}

awaitable<ImageInfo> DockerEngine::pull_alone(const std::string& image, const std::string& platform, PullInFlight& flight)
{
    const auto reference = parse_image_reference(image);
    co_await api_->connect(); // where no engine is, none comes by trying again
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int attempt = 1;; ++attempt) {
        try {
            co_await pull_once(*api_, reference, platform, flight, image);
            break;
        } catch (Error& error) {
            if (error.code() != Errc::unavailable)
                throw;
            if (attempt == k_registry_tries) {
                error.add_context(fmt::format("after {} tries", k_registry_tries));
                throw;
            }
        }
        timer.expires_after(retry_pause(attempt, api_->options().retry_delay));
        co_await timer.async_wait(use_awaitable);
    }
    auto pulled = co_await existing_image(image);
    // A registry that has but one variant gives that one, whatever was asked for.
    bool is_right = platform.empty() || is_of_platform(pulled, platform);
    if (!is_right)
        is_right = co_await has_variant(*api_, image, platform);
    if (!is_right)
        throw Error(Errc::not_found,
                    fmt::format("{} has no variant for {}: its registry gave one for {}/{}", terminal_safe(image),
                                terminal_safe(platform), terminal_safe(pulled.os), terminal_safe(pulled.architecture)));
    co_return pulled;
}

awaitable<std::vector<ImageEntry>> DockerEngine::list_images(const Labels& labels)
{
    co_await api_->connect();
    // Podman 4 finds no image at all by two labels.
    const Labels asked = dialect().podman && !labels.empty() ? Labels{*labels.begin()} : labels;
    Request request("GET", "/images/json?filters=" + encode_query(dump(label_filter(asked))));
    const auto answer = co_await api_->json(std::move(request), k_limit);
    auto images = images_of(answer);
    std::erase_if(images, [&](const ImageEntry& image) { return !carries(image.labels, labels); });
    co_return images;
}

awaitable<ImageInfo> DockerEngine::import_image(const std::string& tag, const Labels& labels,
                                                const std::vector<std::string>& command, std::string tar)
{
    const auto reference = parse_image_reference(tag);
    // Podman ignores a tag that stands apart.
    Request request("POST", fmt::format("/images/create?fromSrc=-&repo={}{}",
                                        encode_query(reference.name() + ":" + reference.tag),
                                        changes_query(labels, command)));
    request.content_type = "application/x-tar";
    request.stream = pieces_of(std::move(tar));
    const auto exchange = co_await api_->open(std::move(request), k_image_limit);
    PullMeter meter(tag);
    const ReadPiece read = [&] { return with_deadline(api_->options().silence_limit, "import", exchange->read()); };
    co_await read_messages(read, meter, [] {});
    co_return co_await existing_image(tag);
}

awaitable<ImageInfo> DockerEngine::commit_container(const std::string& container, const std::string& tag,
                                                    const Labels& labels)
{
    const auto reference = parse_image_reference(tag);
    Request request("POST",
                    fmt::format("/commit?container={}&repo={}&tag={}{}", encode_query(container),
                                encode_query(reference.name()), encode_query(reference.tag), changes_query(labels, {})));
    request.body = "{}";
    co_await api_->send(std::move(request), k_image_limit);
    co_return co_await existing_image(tag);
}

} // namespace gantry::engine::docker

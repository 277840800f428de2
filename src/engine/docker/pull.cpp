#include "engine/docker/pull.hpp"

#include "base/format.hpp"
#include "engine/docker/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace gantry::engine::docker {

namespace {

constexpr std::size_t k_line_limit_bytes = 1024 * 1024;

} // namespace

std::optional<Json> JsonLines::next()
{
    for (;;) {
        const auto end = pending_.find('\n', searched_);
        if (end == std::string::npos) {
            searched_ = pending_.size();
            if (searched_ > k_line_limit_bytes)
                throw Error(Errc::internal, "the engine sent a message of more than 1 MB");
            return std::nullopt;
        }
        const auto line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        searched_ = 0;
        if (line.find_first_not_of(" \r\t") != std::string::npos)
            return parse_json(line);
    }
}

void PullMeter::add(const Json& message)
{
    if (auto error = text_field(field(message, "errorDetail"), "message"); !error.empty())
        error_ = std::move(error);
    else if (error = text_field(message, "error"); !error.empty() && error_.empty())
        error_ = std::move(error);

    const auto id = text_field(message, "id");
    const auto status = text_field(message, "status");
    // "Pulling from library/alpine" carries the tag as its id.
    if (id.empty() || status.empty() || status.rfind("Pulling from", 0) == 0)
        return;
    auto& layer = layers_[id];
    const auto& detail = field(message, "progressDetail");
    if (status == "Downloading") {
        layer.bytes_total = std::max(layer.bytes_total, count_field(detail, "total"));
        layer.bytes_done = std::max(layer.bytes_done, count_field(detail, "current"));
    } else if (status == "Pull complete" || status == "Already exists") {
        layer.done = true;
        layer.bytes_done = layer.bytes_total;
    } else if (status == "Download complete" || status == "Extracting" || status == "Verifying Checksum") {
        layer.bytes_done = layer.bytes_total;
    }
}

PullProgress PullMeter::progress() const
{
    PullProgress sum;
    sum.image = image_;
    for (const auto& [id, layer] : layers_) {
        ++sum.layers_total;
        sum.layers_done += layer.done ? 1 : 0;
        sum.bytes_total += layer.bytes_total;
        sum.bytes_done += std::min(layer.bytes_done, layer.bytes_total);
    }
    return sum;
}

void throw_silent(const std::string& registry, std::chrono::nanoseconds limit)
{
    throw Error(Errc::timed_out,
                fmt::format("the registry {}: no answer within {}", terminal_safe(registry), print_duration(limit)),
                std::string(k_unreachable_hint));
}

std::chrono::nanoseconds retry_pause(int attempt, std::chrono::nanoseconds first)
{
    static thread_local std::minstd_rand random(std::random_device{}());
    const auto whole = first * (1 << (attempt - 1));
    return whole / 2 + std::chrono::nanoseconds(static_cast<std::int64_t>(
                           std::uniform_real_distribution<>(0.0, 0.5)(random) * static_cast<double>(whole.count())));
}

} // namespace gantry::engine::docker

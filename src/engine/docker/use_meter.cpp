#include "engine/docker/use_meter.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <chrono>

namespace gantry::engine::docker {

namespace {

// Pages of files that nobody has used of late, as cgroups v1 and v2 call them. That of v1 without "total_" leaves out what
// is below.
std::uint64_t idle_bytes_of(const Json& details)
{
    const auto whole = count_field(details, "total_inactive_file");
    return whole > 0 ? whole : count_field(details, "inactive_file");
}

void add_blocks(ResourceUse& use, const Json& entries)
{
    for (const auto& entry : items_of(entries)) {
        const auto what = to_lower(text_field(entry, "op")); // "Read" of v1, "read" of v2
        if (what == "read")
            use.read_bytes += count_field(entry, "value");
        else if (what == "write")
            use.written_bytes += count_field(entry, "value");
    }
}

void add_networks(ResourceUse& use, const Json& networks)
{
    if (!networks.is_object())
        return;
    for (const auto& network : networks) {
        use.received_bytes += count_field(network, "rx_bytes");
        use.sent_bytes += count_field(network, "tx_bytes");
    }
}

} // namespace

std::optional<ResourceUse> UseMeter::add(const Json& message)
{
    const auto& memory = field(message, "memory_stats");
    ResourceUse use;
    use.memory_bytes = count_field(memory, "usage");
    use.cpu = std::chrono::nanoseconds(count_field(field(field(message, "cpu_stats"), "cpu_usage"), "total_usage"));
    // A kernel that counts no memory still counts time.
    if (use.memory_bytes == 0 && use.cpu.count() == 0)
        return std::nullopt;

    const auto idle = std::min(idle_bytes_of(field(memory, "stats")), use.memory_bytes);
    use.memory_bytes -= idle;
    most_idle_bytes_ = std::max(most_idle_bytes_, idle);
    const auto most = count_field(memory, "max_usage");
    peak_bytes_ = std::max({peak_bytes_, use.memory_bytes, most - std::min(most, most_idle_bytes_)});
    use.memory_peak_bytes = peak_bytes_;
    use.memory_limit_bytes = count_field(memory, "limit");
    use.processes = count_field(field(message, "pids_stats"), "current");
    add_blocks(use, field(field(message, "blkio_stats"), "io_service_bytes_recursive"));
    add_networks(use, field(message, "networks"));
    return use;
}

} // namespace gantry::engine::docker

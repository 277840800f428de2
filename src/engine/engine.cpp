#include "engine/engine.hpp"

#include <algorithm>

namespace gantry::engine {

bool carries(const Labels& labels, const Labels& wanted)
{
    return std::all_of(wanted.begin(), wanted.end(), [&labels](const auto& pair) {
        const auto found = labels.find(pair.first);
        return found != labels.end() && (pair.second.empty() || pair.second == found->second);
    });
}

std::string_view to_string(ObjectKind kind)
{
    switch (kind) {
    case ObjectKind::container: return "container";
    case ObjectKind::network: return "network";
    case ObjectKind::volume: return "volume";
    case ObjectKind::image: return "image";
    }
    return "object";
}

const std::vector<std::string>& default_capabilities()
{
    static const std::vector<std::string> capabilities = {
        "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "SETGID",     "SETUID",
        "SETFCAP", "SETPCAP",     "NET_BIND_SERVICE", "SYS_CHROOT", "KILL"};
    return capabilities;
}

} // namespace gantry::engine

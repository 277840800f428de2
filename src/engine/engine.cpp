#include "engine/engine.hpp"

namespace gantry::engine {

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

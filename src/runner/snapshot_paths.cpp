#include "runner/snapshot.hpp"

#include <sys/stat.h>

namespace gantry::runner {

bool is_in(const Snapshot& snapshot, const std::string& path)
{
    for (const auto& layer : snapshot.layers) {
        for (std::size_t end = 0; end != std::string::npos;) {
            end = path.find('/', end + 1);
            struct stat info = {};
            if (::lstat((layer + "/" + path.substr(0, end)).c_str(), &info) != 0)
                break; // the layers below decide
            const bool is_last = end == std::string::npos;
            if (is_last || !S_ISDIR(info.st_mode))
                return is_last && !S_ISCHR(info.st_mode); // a whiteout: nothing else of that kind is in a layer
        }
    }
    return false;
}

} // namespace gantry::runner

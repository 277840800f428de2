#pragma once

#include <cstddef>

// Where a header of a tar archive has what (POSIX.1-2001, pax, "ustar Interchange Format").

namespace gantry::runner::tar_field {

struct Place {
    std::size_t at, size;
};
inline constexpr Place name{0, 100}, mode{100, 8}, uid{108, 8}, gid{116, 8}, size{124, 12}, mtime{136, 12}, sum{148, 8}, type{156, 1},
    link{157, 100}, magic{257, 6}, prefix{345, 155};

} // namespace gantry::runner::tar_field

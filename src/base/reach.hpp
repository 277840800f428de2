#pragma once

#include "base/async.hpp"

#include <chrono>
#include <cstdint>
#include <string>

// Looks whether something answers at an address of the network. All errors of the network are answers here.

namespace gantry {

enum class Reach {
    answers,    // it accepts a connection; for http: and answers 2xx
    refuses,    // nobody listens there, or not what was asked for: it may come
    unreachable // no way leads there, or nothing came back in time
};

struct ReachAnswer {
    Reach reach = Reach::unreachable;
    std::string said; // "connection refused", "HTTP 503"
};

// `address` is a number, IPv4 or IPv6; anything else is unreachable.
awaitable<ReachAnswer> reach_tcp(const std::string& address, std::uint16_t port, std::chrono::nanoseconds limit);
// GET of `path`, HTTP/1.1 (RFC 9112); at most 64 KiB of the answer are read.
awaitable<ReachAnswer> reach_http(const std::string& address, std::uint16_t port, const std::string& path,
                                  std::chrono::nanoseconds limit);

} // namespace gantry

#pragma once

#include "pipeline/container_values.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

// Addresses of networks.

namespace gantry::pipeline {

// IPv4 or IPv6, without a zone.
bool is_address(std::string_view text);

// "172.28.0.0/16" (RFC 4632), "fd00::/64" (RFC 4291). Bits behind the prefix may be set and mean nothing.
struct Subnet {
    bool is_v6 = false;
    std::array<unsigned char, 16> address{}; // of IPv4 the first 4 bytes
    int prefix_bits = 0;

    // Whether the address is of this family and in it. In 0.0.0.0/24 and ::/64 all are: the engine picks which network that is.
    bool contains(std::string_view address) const;
};
std::optional<Subnet> parse_subnet(std::string_view text);

extern const ValueRule k_address_rule, k_subnet_rule;

} // namespace gantry::pipeline

#pragma once

#include "pipeline/container_values.hpp"

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

// Addresses of networks.

namespace gantry::pipeline {

// IPv4 or IPv6, without a zone.
struct Address {
    bool is_v6 = false;
    std::array<unsigned char, 16> bytes{}; // of IPv4 the first 4
    auto operator<=>(const Address&) const = default;

    bool is_any() const; // 0.0.0.0, ::
};
std::optional<Address> parse_address(std::string_view text);
bool is_address(std::string_view text);

// "172.28.0.0/16" (RFC 4632), "fd00::/64" (RFC 4291). Bits behind the prefix may be set and mean nothing.
struct Subnet {
    bool is_v6 = false;
    std::array<unsigned char, 16> address{}; // of IPv4 the first 4 bytes
    int prefix_bits = 0;

    // 0.0.0.0/24, ::/64: only its size is said, and the engine picks which network it is.
    bool is_open() const;
    // Whether the address is of this family and in it. In an open one all are.
    bool contains(std::string_view address) const;
    bool contains(const Subnet& other) const;
    // Whether an address is in both; in an open one there need not be any.
    bool overlaps(const Subnet& other) const;
};
std::optional<Subnet> parse_subnet(std::string_view text);

extern const ValueRule k_address_rule, k_subnet_rule;

} // namespace gantry::pipeline

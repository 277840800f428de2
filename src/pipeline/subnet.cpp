#include "pipeline/subnet.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace gantry::pipeline {

namespace {

using Bytes = std::array<unsigned char, 16>;

bool agree(const Bytes& a, const Bytes& b, int bits)
{
    const auto whole = static_cast<std::size_t>(bits / 8);
    const auto rest = static_cast<unsigned char>(0xff00 >> (bits % 8));
    return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()) &&
           (bits % 8 == 0 || (a[whole] & rest) == (b[whole] & rest));
}

bool is_subnet(std::string_view text) { return parse_subnet(text).has_value(); }

} // namespace

std::optional<Address> parse_address(std::string_view written)
{
    const std::string text(written);
    Address address;
    address.is_v6 = text.find(':') != std::string::npos;
    const bool good = text.find('\0') == std::string::npos && inet_pton(address.is_v6 ? AF_INET6 : AF_INET, text.c_str(), address.bytes.data()) == 1;
    return good ? std::optional(address) : std::nullopt;
}

bool Address::is_any() const { return bytes == Bytes{}; }

bool is_address(std::string_view text) { return parse_address(text).has_value(); }

std::optional<Subnet> parse_subnet(std::string_view text)
{
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address || slash == std::string_view::npos)
        return std::nullopt;
    Subnet subnet{address->is_v6, address->bytes, 0};
    const auto digits = text.substr(slash + 1);
    const auto* end = digits.data() + digits.size();
    const auto [stop, status] = std::from_chars(digits.data(), end, subnet.prefix_bits);
    const bool good = status == std::errc() && stop == end && subnet.prefix_bits >= 0 && subnet.prefix_bits <= (subnet.is_v6 ? 128 : 32);
    return good ? std::optional(subnet) : std::nullopt;
}

bool Subnet::contains(std::string_view written) const
{
    const auto other = parse_address(written);
    if (!other || other->is_v6 != is_v6)
        return false;
    return is_open() || agree(address, other->bytes, prefix_bits);
}

bool Subnet::is_open() const { return address == Bytes{}; }

bool Subnet::contains(const Subnet& other) const
{
    if (other.is_v6 != is_v6 || other.prefix_bits < prefix_bits)
        return false;
    return is_open() || agree(address, other.address, prefix_bits);
}

bool Subnet::overlaps(const Subnet& other) const
{
    return !is_open() && !other.is_open() && (contains(other) || other.contains(*this));
}

const ValueRule k_address_rule{is_address, "an address", "write one of IPv4 or IPv6: 10.0.0.2, fd00::2"};
const ValueRule k_subnet_rule{is_subnet, "a subnet", "write address/bits, such as 10.8.0.0/24 or fd00:8::/64"};

} // namespace gantry::pipeline

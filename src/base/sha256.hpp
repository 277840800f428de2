#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace gantry {

// SHA-256 (FIPS 180-4) of bytes that come in pieces; sha256_hex() of base/format.hpp takes them whole.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;

    void add(std::string_view bytes);
    // Lower-case hex of all that was added. Nothing can be added afterwards.
    std::string hex();

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

} // namespace gantry

#pragma once

#include <string>
#include <utility>

namespace gantry {

// A value that must not be shown. It has no formatter, no operator<< and no conversion: reveal() is what a reviewer
// searches for. The bytes are overwritten when it goes away.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    Secret(const Secret&) = default;
    Secret(Secret&&) noexcept = default;
    Secret& operator=(Secret other) noexcept
    {
        value_.swap(other.value_);
        return *this;
    }
    ~Secret();

    const std::string& reveal() const { return value_; }
    bool empty() const { return value_.empty(); }

private:
    std::string value_;
};

} // namespace gantry

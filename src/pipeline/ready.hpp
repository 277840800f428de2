#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// What `ready` of a service may say.

namespace gantry::pipeline {

inline constexpr const char* k_ready_page_hint = "write http: \":8080/health\"";

// ":8080/health", "8080/health", "http://localhost:8080/health": what is before the port is where it runs anyway.
struct ReadyPage {
    std::uint16_t port = 80;
    std::string path;    // "/…"
    std::string problem; // why it is none; empty: it is
};
ReadyPage parse_ready_page(std::string_view written);

// Why it is no regular expression (RE2); empty: it is one.
std::string ready_log_problem(const std::string& pattern);

} // namespace gantry::pipeline

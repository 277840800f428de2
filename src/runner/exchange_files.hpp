#pragma once

#include "engine/engine.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gantry::runner {

// The files that CI_ENV, CI_OUTPUT and CI_STEP_SUMMARY name, for one attempt of a step. Where the engine sees our disk they
// are a folder of ours, bound into the container; elsewhere they are in the container and fetched when it has ended.
class ExchangeFiles {
public:
    static constexpr std::size_t k_limit_bytes = 1 << 20; // of each file; more is left out

    // `host_folder`: where to make the folder; absent: in the container.
    explicit ExchangeFiles(std::optional<std::string> host_folder);
    ~ExchangeFiles(); // removes the folder
    ExchangeFiles(const ExchangeFiles&) = delete;

    // To be added to the container, if any.
    std::optional<engine::Mount> mount() const;
    // Those that place() puts into the container.
    std::vector<std::string> paths_in_container() const;
    // Before the start, on the created container.
    awaitable<void> place(engine::Engine& engine, const engine::ContainerSpec& container);

    struct Contents {
        std::string env, output, summary;
        std::vector<std::string> problems; // a file that is missing, no regular file, or too long; it reads as empty
    };
    // After the end.
    awaitable<Contents> collect(engine::Engine& engine, const std::string& container);

private:
    std::optional<std::string> folder_;
};

} // namespace gantry::runner

#include "runner/open_shell.hpp"

#include "base/lock.hpp"
#include "runner/objects.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_shell_record_limit_bytes = 64 * 1024;
constexpr auto k_dead_shell_wait = std::chrono::seconds(5);
constexpr auto k_look_at_shell_again = std::chrono::milliseconds(100);

std::string shells_folder(const std::string& state)
{
    return state + "/shells";
}

std::string print_shell(const ShellRecord& record)
{
    const nlohmann::json json{{"run", record.run},
                              {"container", record.container},
                              {"image", record.image},
                              {"engine_endpoint", record.engine_endpoint},
                              {"engine_id", record.engine_id}};
    return json.dump();
}

// Nothing where its process has not written it yet, or died before it had.
std::optional<ShellRecord> parse_shell(const std::string& path)
{
    try {
        const auto json = nlohmann::json::parse(read_file(path, k_shell_record_limit_bytes, Links::refuse));
        ShellRecord record;
        record.run = json.at("run").get<std::string>();
        record.container = json.at("container").get<std::string>();
        record.image = json.at("image").get<std::string>();
        record.engine_endpoint = json.at("engine_endpoint").get<std::string>();
        record.engine_id = json.at("engine_id").get<std::string>();
        return record;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

} // namespace

OpenShell::OpenShell(const std::string& state, const ShellRecord& record) : path_(shells_folder(state) + '/' + record.container)
{
    make_directories(shells_folder(state), 0700);
    file_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file_)
        throw errno_error(errno, path_);
    // The lock comes first: of a record with something in it that nobody holds, the process has died.
    if (!take_lock(file_, path_))
        throw Error(Errc::conflict, path_ + ": another process has it");
    write_all(file_, print_shell(record), path_);
}

void OpenShell::touch()
{
    ::futimens(file_.get(), nullptr); // it may look older than it is
}

void OpenShell::close()
{
    ::unlink(path_.c_str());
    file_.reset();
}

std::vector<DeadShell> dead_shells(const std::string& state)
{
    std::vector<DeadShell> dead;
    std::error_code failure;
    for (std::filesystem::directory_iterator entry(shells_folder(state), failure), end; !failure && entry != end; entry.increment(failure)) {
        const auto path = entry->path().string();
        auto record = parse_shell(path);
        if (!is_locked(path) && record)
            dead.push_back({std::move(*record), path});
    }
    return dead;
}

awaitable<bool> remove_dead_shell(engine::Engine& engine, Clock& clock, const DeadShell& shell)
{
    const auto begin = clock.wall();
    // The clock may have been set back since.
    const auto last = std::min(modified_at(shell.path), begin);
    bool found = false;
    for (;;) {
        const auto status = co_await engine.inspect_container(shell.record.container);
        const bool had_container = status.state != engine::ContainerState::missing;
        const auto image = co_await engine.find_image(shell.record.image);
        found = found || had_container || image;
        if (had_container)
            co_await engine.remove(engine::ObjectKind::container, shell.record.container);
        if (image)
            co_await engine.remove(engine::ObjectKind::image, shell.record.image);
        const auto now = clock.wall();
        if (had_container || now >= last + k_engine_may_finish) {
            ::unlink(shell.path.c_str());
            co_return found;
        }
        if (now >= last + k_dead_shell_wait)
            co_return found;
        co_await clock.sleep_for(k_look_at_shell_again);
    }
}

} // namespace gantry::runner

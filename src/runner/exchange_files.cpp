#include "runner/exchange_files.hpp"

#include "base/file.hpp"
#include "runner/lower.hpp"
#include "runner/placing.hpp"
#include "runner/tar.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace gantry::runner {

namespace {

struct ExchangeName {
    const char* file;
    const char* variable;
};
const ExchangeName k_names[] = {{"env", "CI_ENV"}, {"output", "CI_OUTPUT"}, {"summary", "CI_STEP_SUMMARY"}};

constexpr const char* k_too_long = "it is longer than 1 MiB; nothing of it is used";

// What a step wrote is hostile: it may have put a link or a device in the place of the file. Then it is a problem.
std::string read_exchanged(int folder, const char* name, std::string& problem)
{
    const int fd = ::openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        problem = errno == ENOENT ? "the step has removed it" : "it is no file any more, or may not be read; nothing of it is used";
        return {};
    }
    const Fd file(fd);
    struct stat status{};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        problem = "it is no file any more; nothing of it is used";
        return {};
    }
    if (status.st_size > static_cast<off_t>(ExchangeFiles::k_limit_bytes)) {
        problem = k_too_long;
        return {};
    }
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    const auto count = ::pread(fd, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
}

} // namespace

ExchangeFiles::ExchangeFiles(std::optional<std::string> host_folder) : folder_(std::move(host_folder))
{
    if (!folder_)
        return;
    std::filesystem::create_directories(*folder_);
    // Steps run as whatever user their image names; the folders above are ours alone.
    ::chmod(folder_->c_str(), 0777);
    for (const auto& name : k_names) {
        const auto path = *folder_ + "/" + name.file;
        const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
        if (file.get() < 0)
            throw errno_error(errno, path);
        ::fchmod(file.get(), 0666);
    }
}

ExchangeFiles::~ExchangeFiles()
{
    if (!folder_)
        return;
    try {
        remove_tree(*folder_);
    } catch (const Error&) {
        // A step that ran as root may have left a folder of its own there; it goes with the run's folder.
    }
}

std::optional<engine::Mount> ExchangeFiles::mount() const
{
    if (!folder_)
        return std::nullopt;
    engine::Mount mount;
    mount.type = engine::Mount::Type::bind;
    mount.source = *folder_;
    mount.target = k_exchange;
    return mount;
}

std::vector<std::string> ExchangeFiles::paths_in_container() const
{
    std::vector<std::string> paths;
    for (const auto& name : k_names)
        if (!folder_)
            paths.push_back(std::string(k_exchange) + "/" + name.file);
    return paths;
}

awaitable<void> ExchangeFiles::place(engine::Engine& engine, const engine::ContainerSpec& container)
{
    if (folder_)
        co_return;
    std::vector<PlacedEntry> entries{{k_exchange, 0777, {}, true}};
    for (auto& path : paths_in_container())
        entries.push_back({std::move(path), 0666, {}, false});
    co_await place_entries(engine, container, std::move(entries));
}

awaitable<ExchangeFiles::Contents> ExchangeFiles::collect(engine::Engine& engine, const std::string& container)
{
    Contents contents;
    std::string* const fields[] = {&contents.env, &contents.output, &contents.summary};
    const auto tell = [&contents](const ExchangeName& name, const std::string& problem) {
        if (!problem.empty())
            contents.problems.push_back(std::string(name.variable) + ": " + problem);
    };
    if (folder_) {
        const Fd folder(::open(folder_->c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        for (int i = 0; folder.get() >= 0 && i < 3; ++i) {
            std::string problem;
            *fields[i] = read_exchanged(folder.get(), k_names[i].file, problem);
            tell(k_names[i], problem);
        }
        co_return contents;
    }
    const auto files = co_await download_small_files(engine, container, k_exchange, 3 * k_limit_bytes + 64 * 1024);
    for (int i = 0; i < 3; ++i) {
        const auto found = files.find(std::string("gantry/") + k_names[i].file);
        if (found == files.end())
            tell(k_names[i], "it is no file any more, or too long; nothing of it is used");
        else if (found->second.size() > k_limit_bytes)
            tell(k_names[i], k_too_long);
        else
            *fields[i] = found->second;
    }
    co_return contents;
}

} // namespace gantry::runner

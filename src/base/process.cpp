#include "base/process.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace gantry {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

void check(int number, const std::string& what)
{
    if (number != 0)
        throw errno_error(number, what);
}

class SpawnActions {
public:
    SpawnActions() { check(posix_spawn_file_actions_init(&actions_), "spawn"); }
    SpawnActions(const SpawnActions&) = delete;
    ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }

    void put(const Fd& file, int number) { check(posix_spawn_file_actions_adddup2(&actions_, file.get(), number), "spawn"); }
    void change_directory(const std::string& path)
    {
        check(posix_spawn_file_actions_addchdir_np(&actions_, path.c_str()), "spawn");
    }
    // Also what some library has opened without close-on-exec.
    void close_others() { check(posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1), "spawn"); }

    const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
    posix_spawn_file_actions_t actions_;
};

class SpawnAttributes {
public:
    explicit SpawnAttributes(ProcessStreams streams)
    {
        check(posix_spawnattr_init(&attributes_), "spawn");
        sigset_t signals;
        sigemptyset(&signals);
        posix_spawnattr_setsigmask(&attributes_, &signals);
        sigfillset(&signals);
        posix_spawnattr_setsigdefault(&attributes_, &signals);
        int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        if (streams == ProcessStreams::capture)
            flags |= POSIX_SPAWN_SETPGROUP; // of its own, with its pid as number
        posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    }
    SpawnAttributes(const SpawnAttributes&) = delete;
    ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }

    const posix_spawnattr_t* get() const { return &attributes_; }

private:
    posix_spawnattr_t attributes_;
};

// One of the child's two output streams.
struct Capture {
    Fd reader;
    Fd writer;
    std::string* out = nullptr;
};

Capture make_capture(std::string& out)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw errno_error(errno, "pipe");
    Capture capture{Fd(ends[0]), Fd(ends[1]), &out};
    ::fcntl(capture.reader.get(), F_SETFL, O_NONBLOCK); // our end only
    return capture;
}

// A file in memory instead of a pipe: nothing to feed while the child runs, and no SIGPIPE if it does not read.
Fd make_input(const std::string& text)
{
    Fd file(::memfd_create("gantry-stdin", MFD_CLOEXEC));
    if (!file)
        throw errno_error(errno, "memory file");
    write_all(file, text, "memory file");
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

std::vector<std::string> merged_environment(const ProcessSpec& spec)
{
    std::vector<std::string> result;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view text(*entry);
        const auto name = text.substr(0, text.find('='));
        const bool replaced = std::any_of(spec.environment.begin(), spec.environment.end(),
                                          [&](const auto& addition) { return addition.first == name; });
        if (!replaced)
            result.emplace_back(text);
    }
    for (const auto& [name, value] : spec.environment)
        result.push_back(name + "=" + value);
    return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    for (auto& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

class Child {
public:
    Child(const ProcessSpec& spec, const std::string& program, const SpawnActions& actions) : name_(spec.argv.front())
    {
        auto argv = spec.argv;
        auto environment = merged_environment(spec);
        const auto argv_pointers = pointers_to(argv);
        const auto environment_pointers = pointers_to(environment);
        const SpawnAttributes attributes(spec.streams);
        in_group_ = spec.streams == ProcessStreams::capture;
        check(posix_spawn(&pid_, program.c_str(), actions.get(), attributes.get(), argv_pointers.data(),
                          environment_pointers.data()),
              name_);
        handle_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    }
    Child(const Child&) = delete;
    ~Child()
    {
        if (!ended_)
            kill_and_reap();
    }

    // Readable once the child has ended; -1 on a kernel before 5.3.
    int handle() const { return handle_.get(); }

    // Looks once, without waiting.
    bool has_ended()
    {
        if (!ended_ && waitpid(pid_, &status_, WNOHANG) != 0)
            ended_ = true; // or somebody else reaped it: then its status is lost
        return ended_;
    }

    void kill_and_reap()
    {
        ::kill(in_group_ ? -pid_ : pid_, SIGKILL);
        while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
        }
        ended_ = true;
    }

    void fill(ProcessResult& result) const
    {
        result.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
        result.exit_code = result.signal != 0 ? 128 + result.signal : WEXITSTATUS(status_);
    }

private:
    std::string name_;
    pid_t pid_ = -1;
    Fd handle_;
    int status_ = 0;
    bool in_group_ = false;
    bool ended_ = false;
};

// Takes what is in the pipe now. Closes it at its end.
void drain(Capture& capture, ProcessResult& result, std::size_t limit_bytes)
{
    std::array<char, 16384> buffer;
    while (capture.reader) {
        const auto count = ::read(capture.reader.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0) {
            capture.reader.reset();
            return;
        }
        const auto room = limit_bytes - capture.out->size();
        const auto kept = std::min(static_cast<std::size_t>(count), room);
        capture.out->append(buffer.data(), kept);
        result.truncated = result.truncated || kept < static_cast<std::size_t>(count);
        if (result.truncated && room == 0)
            return; // a child that writes without end must not keep us from looking at the clock
    }
}

// Milliseconds for poll(), rounded up; -1 for ever.
int wait_ms(const std::optional<SteadyTime>& end, bool has_handle)
{
    constexpr std::int64_t k_look_again = 10; // where the kernel cannot tell us about the child's end
    constexpr std::int64_t k_hour = 3'600'000;
    std::int64_t limit = has_handle ? -1 : k_look_again;
    if (end) {
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(*end - std::chrono::steady_clock::now()).count();
        const auto bounded = std::clamp<std::int64_t>(rest, 0, k_hour);
        limit = limit < 0 ? bounded : std::min(limit, bounded);
    }
    return static_cast<int>(limit);
}

void wait_for_end(Child& child, std::array<Capture, 2>& captures, const ProcessSpec& spec, ProcessResult& result)
{
    std::optional<SteadyTime> end;
    if (spec.deadline)
        end = std::chrono::steady_clock::now() + std::chrono::duration_cast<SteadyTime::duration>(*spec.deadline);
    while (true) {
        // The order matters: what the child wrote is in the pipe before it is seen to have ended.
        const bool ended = child.has_ended();
        for (auto& capture : captures)
            drain(capture, result, spec.output_limit_bytes);
        if (ended)
            return;
        if (end && std::chrono::steady_clock::now() >= *end) {
            child.kill_and_reap();
            throw Error(Errc::timed_out, spec.argv.front() + ": no answer within " + format_duration(*spec.deadline));
        }
        pollfd waits[] = {{captures[0].reader.get(), POLLIN, 0}, {captures[1].reader.get(), POLLIN, 0}, {child.handle(), POLLIN, 0}};
        ::poll(waits, std::size(waits), wait_ms(end, child.handle() >= 0));
    }
}

bool is_executable_file(const std::string& path)
{
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

} // namespace

std::optional<std::string> find_program(std::string_view name)
{
    if (name.empty())
        return std::nullopt;
    if (name.find('/') != std::string_view::npos)
        return is_executable_file(std::string(name)) ? std::optional(std::string(name)) : std::nullopt;
    const char* path = std::getenv("PATH");
    for (const auto& directory : split(path ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
        // Relative entries, the empty one included, would run what lies in somebody's checkout.
        if (!directory.starts_with('/'))
            continue;
        auto candidate = directory + "/" + std::string(name);
        if (is_executable_file(candidate))
            return candidate;
    }
    return std::nullopt;
}

ProcessResult run_process(const ProcessSpec& spec)
{
    GANTRY_ASSERT(!spec.argv.empty());
    const auto& name = spec.argv.front();
    // A path may be relative to the child's directory: then spawning finds out.
    const bool is_path = name.find('/') != std::string::npos;
    const auto program = is_path ? std::optional(name) : find_program(name);
    if (!program)
        throw Error(Errc::not_found, name + ": no such program on PATH");

    ProcessResult result;
    SpawnActions actions;
    std::array<Capture, 2> captures;
    Fd input;
    if (spec.streams == ProcessStreams::capture) {
        input = make_input(spec.input);
        captures = {make_capture(result.output), make_capture(result.error_output)};
        actions.put(input, STDIN_FILENO);
        actions.put(captures[0].writer, STDOUT_FILENO);
        actions.put(captures[1].writer, STDERR_FILENO);
    }
    if (!spec.directory.empty())
        actions.change_directory(spec.directory);
    actions.close_others();

    Child child(spec, *program, actions);
    for (auto& capture : captures)
        capture.writer.reset();
    wait_for_end(child, captures, spec, result);
    child.fill(result);
    return result;
}

} // namespace gantry

#include "runner/secret_store.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "base/paths.hpp"
#include "runner/source_files.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace gantry::runner {

namespace {

constexpr std::size_t k_file_limit_bytes = 4 << 20;
constexpr std::size_t k_value_limit_bytes = 64 * 1024;

// To its end, whatever it is: `--secret-file <(command)` is a pipe.
std::string read_to_end(const Fd& file, const std::string& path)
{
    std::string text;
    char buffer[16 * 1024];
    while (true) {
        const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
        if (count == 0)
            return text;
        if (count < 0 && errno != EINTR)
            throw errno_error(errno, "read " + path);
        text.append(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
        if (text.size() > k_file_limit_bytes)
            throw Error(Errc::bad_input, path + " is larger than " + format_size(k_file_limit_bytes));
    }
}

std::string quoted(const std::string& value)
{
    std::string text = "\"";
    for (const char c : value) {
        switch (c) {
        case '\n': text += "\\n"; break;
        case '\r': text += "\\r"; break;
        case '\t': text += "\\t"; break;
        case '"':
        case '\\':
        case '$': text += '\\'; [[fallthrough]];
        default: text += c;
        }
    }
    return text + "\"";
}

} // namespace

// ---- the store

SecretStore::SecretStore(std::string config_folder) : folder_(std::move(config_folder)) {}

Secrets SecretStore::read() const
{
    const Fd file(::open(path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file && errno == ENOENT)
        return {};
    if (!file)
        throw errno_error(errno, "open " + path());
    struct stat info = {};
    if (::fstat(file.get(), &info) != 0)
        throw errno_error(errno, "stat " + path());
    if (!S_ISREG(info.st_mode))
        throw Error(Errc::denied, path() + " is not a file");
    if (info.st_uid != ::geteuid())
        throw Error(Errc::denied, path() + " belongs to another user");
    if ((info.st_mode & 077) != 0)
        throw Error(Errc::denied, path() + " can be read by others", "chmod 600 " + path() + ", and take its secrets as known");
    return parse_secret_file(read_to_end(file, path()), path());
}

void SecretStore::write(const Secrets& secrets) const
{
    std::string text;
    for (const auto& [name, value] : secrets)
        text += name + "=" + quoted(value.reveal()) + "\n";
    if (text.size() > k_file_limit_bytes)
        throw Error(Errc::bad_input, "the secrets would take more than " + format_size(k_file_limit_bytes) + " in all",
                    "remove some: gantry secret rm NAME; or keep big ones in files: --secret-file");
    write_file_atomic(path(), text, 0600);
}

std::vector<std::string> SecretStore::names() const
{
    std::vector<std::string> names;
    for (const auto& [name, value] : read())
        names.push_back(name);
    return names;
}

std::optional<Secret> SecretStore::find(const std::string& name) const
{
    const Secrets secrets = read();
    const auto found = secrets.find(name);
    return found == secrets.end() ? std::nullopt : std::optional(found->second);
}

void SecretStore::set(const std::string& name, const Secret& value)
{
    if (!is_secret_name(name))
        throw Error(Errc::bad_input, "'" + terminal_safe(name) + "' is no name for a secret", "names have letters, digits, '_', '.' and '-'");
    if (value.empty())
        throw Error(Errc::bad_input, "the value of " + name + " is empty");
    if (value.reveal().size() > k_value_limit_bytes || value.reveal().find('\0') != std::string::npos)
        throw Error(Errc::bad_input, "the value of " + name + " is over 64 KiB, or holds zero bytes", "encode it with base64, or keep it in a file");
    make_directories(folder_, 0700);
    private_directory(folder_);
    const Fd lock = wait_for_lock(path() + ".lock", LockKind::exclusive, std::chrono::seconds(10), path() + " is in use");
    Secrets secrets = read();
    secrets.insert_or_assign(name, value);
    write(secrets);
}

bool SecretStore::remove(const std::string& name)
{
    if (read().count(name) == 0)
        return false;
    const Fd lock = wait_for_lock(path() + ".lock", LockKind::exclusive, std::chrono::seconds(10), path() + " is in use");
    Secrets secrets = read();
    const bool was_there = secrets.erase(name) != 0;
    if (was_there)
        write(secrets);
    return was_there;
}

// ---- all sources

SecretSource::SecretSource(const std::vector<std::string>& files, std::string config_folder) : store_(std::move(config_folder))
{
    for (const auto& path : files) {
        const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file)
            throw errno_error(errno, "--secret-file " + path);
        for (auto& [name, value] : parse_secret_file(read_to_end(file, path), path))
            from_files_.insert_or_assign(name, std::move(value));
    }
}

std::optional<Secret> SecretSource::find(const std::string& name) const
{
    if (const auto found = from_files_.find(name); found != from_files_.end())
        return found->second;
    std::string capitals = name;
    for (char& c : capitals)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
    for (const std::string& suffix : {name, capitals})
        if (const char* const value = std::getenv(("GANTRY_SECRET_" + suffix).c_str()))
            return Secret(value);
    return store_.find(name);
}

std::vector<std::string> SecretSource::names() const
{
    auto names = store_.names();
    for (const auto& [name, value] : from_files_)
        names.push_back(name);
    return names;
}

// ---- the terminal

namespace {

class NoEcho {
public:
    explicit NoEcho(const Fd& terminal) : terminal_(terminal)
    {
        if (::tcgetattr(terminal.get(), &before_) != 0)
            return;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        is_set_ = ::tcsetattr(terminal.get(), TCSAFLUSH, &silent) == 0;
    }
    NoEcho(const NoEcho&) = delete;
    ~NoEcho()
    {
        if (is_set_)
            ::tcsetattr(terminal_.get(), TCSAFLUSH, &before_);
    }
    bool is_set() const { return is_set_; }

private:
    const Fd& terminal_;
    termios before_ = {};
    bool is_set_ = false;
};

} // namespace

awaitable<std::optional<Secret>> prompt_secret(std::string name)
{
    const auto executor = co_await asio::this_coro::executor;
    const Fd terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
    Fd opened_again(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)); // Asio's reading makes it non-blocking
    if (!terminal || !opened_again)
        co_return std::nullopt;
    asio::posix::stream_descriptor keys(executor, opened_again.release());
    const NoEcho no_echo(terminal);
    if (!no_echo.is_set())
        co_return std::nullopt;
    write_all(terminal, "secret " + terminal_safe(name) + ": ", "/dev/tty");
    std::string value;
    char c = 0;
    boost::system::error_code ended;
    while (value.size() < k_value_limit_bytes) {
        co_await keys.async_read_some(asio::buffer(&c, 1), asio::redirect_error(use_awaitable, ended));
        if (ended || c == '\n')
            break;
        value += c;
    }
    write_all(terminal, "\n", "/dev/tty");
    co_await check_cancellation();
    if (ended || value.empty())
        co_return std::nullopt;
    co_return Secret(std::move(value));
}

Secret piped_secret()
{
    const Fd input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!input)
        throw errno_error(errno, "standard input");
    std::string text = read_to_end(input, "standard input");
    if (!text.empty() && text.back() == '\n')
        text.pop_back();
    return Secret(std::move(text));
}

} // namespace gantry::runner

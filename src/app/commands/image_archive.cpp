#include "app/commands/image_archive.hpp"

#include "app/exit_code.hpp"
#include "app/interrupt.hpp"
#include "app/view/view.hpp"
#include "base/clock.hpp"
#include "base/format.hpp"
#include "base/new_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gantry::app {

namespace {

constexpr std::size_t k_archive_piece_bytes = 256 * 1024;
constexpr auto k_between_lines = std::chrono::milliseconds(100);
constexpr const char* k_clear_line = "\r\x1b[K";

// "saving shop:1: 41 MB", redrawn in place on a terminal and silent elsewhere.
class Progress {
public:
    Progress(Context& context, std::string doing)
        : context_(context), doing_(std::move(doing)), shown_(detect_view(false, false, false).live)
    {
        draw();
    }
    ~Progress()
    {
        if (shown_)
            context_.err(k_clear_line);
    }
    Progress(const Progress&) = delete;

    void add(std::size_t bytes)
    {
        bytes_ += bytes;
        if (system_clock().now() - last_ >= k_between_lines)
            draw();
    }
    std::uint64_t bytes() const { return bytes_; }

private:
    void draw()
    {
        last_ = system_clock().now();
        if (shown_)
            context_.err(k_clear_line + doing_ + ": " + format_size(bytes_));
    }

    Context& context_;
    std::string doing_;
    bool shown_;
    std::uint64_t bytes_ = 0;
    Clock::time_point last_{};
};

awaitable<void> save_to_file(Context& context, const std::vector<std::string>& images, const std::string& path)
{
    NewFile file(path);
    Progress progress(context, "saving to " + terminal_safe(path));
    const engine::WritePiece write = [&](std::string_view piece) -> awaitable<void> {
        file.write(piece);
        progress.add(piece.size());
        co_return;
    };
    co_await context.engine().save_images(images, write);
    file.commit();
}

awaitable<void> save_to_pipe(Context& context, const std::vector<std::string>& images)
{
    Fd out(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    const engine::WritePiece write = [&](std::string_view piece) -> awaitable<void> {
        write_all(out, piece, "standard output");
        co_return;
    };
    co_await context.engine().save_images(images, write);
}

awaitable<void> load_from(Context& context, const Fd& in, const std::string& name, std::vector<std::string>& loaded)
{
    Progress progress(context, "loading " + terminal_safe(name));
    const engine::ReadPiece read = [&]() -> awaitable<std::string> {
        std::string piece(k_archive_piece_bytes, '\0');
        ssize_t count;
        while ((count = ::read(in.get(), piece.data(), piece.size())) < 0)
            if (errno != EINTR)
                throw errno_error(errno, name);
        piece.resize(static_cast<std::size_t>(count));
        progress.add(piece.size());
        co_return piece;
    };
    loaded = co_await context.engine().load_images(read);
}

} // namespace

int save_images(Context& context, const std::vector<std::string>& images, const std::string& file)
{
    int signal = 0;
    if (file != "-") {
        context.run([&]() -> awaitable<void> { signal = co_await until_interrupted(save_to_file(context, images, file)); });
        return signal == 0 ? k_exit_ok : 128 + signal;
    }
    if (::isatty(STDOUT_FILENO))
        throw Error(Errc::bad_input, "an archive is nothing for a terminal", "name a file: -o FILE, or pass it on: gantry image save IMAGE | gzip > FILE");
    context.run([&] { return save_to_pipe(context, images); });
    return k_exit_ok;
}

int load_images(Context& context, const std::string& file)
{
    const bool from_pipe = file == "-";
    if (from_pipe && ::isatty(STDIN_FILENO))
        throw Error(Errc::bad_input, "there is no archive on a terminal", "name a file: gantry image load FILE");
    const Fd in(from_pipe ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const std::string name = from_pipe ? "standard input" : file;
    struct stat info{};
    if (!in || ::fstat(in.get(), &info) != 0)
        throw errno_error(errno, name);
    if (S_ISDIR(info.st_mode))
        throw Error(Errc::bad_input, name + ": is a directory");
    std::vector<std::string> loaded;
    context.run([&] { return load_from(context, in, name, loaded); });
    for (const auto& image : loaded)
        context.out(terminal_safe(image) + "\n");
    return k_exit_ok;
}

} // namespace gantry::app

#include "app/view/output.hpp"

#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace gantry::app {

namespace {

class FdOutput final : public Output {
public:
    explicit FdOutput(int descriptor) : descriptor_(descriptor) {}

    void write(std::string_view bytes) override
    {
        while (!bytes.empty() && !closed_) {
            const auto count = ::write(descriptor_, bytes.data(), bytes.size());
            if (count > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(count));
            } else if (count < 0 && errno == EAGAIN) {
                pollfd room{descriptor_, POLLOUT, 0};
                ::poll(&room, 1, -1);
            } else if (count == 0 || errno != EINTR) {
                closed_ = true;
                failure_ = count == 0 || errno == EPIPE ? 0 : errno;
                if (hear_closed_ && failure_ == 0)
                    hear_closed_();
            }
        }
    }

    bool closed() const override { return closed_; }
    void on_closed(std::function<void()> hear) override { hear_closed_ = std::move(hear); }

    std::optional<Error> failure() const override
    {
        if (failure_ == 0)
            return std::nullopt;
        return errno_error(failure_, descriptor_ == STDOUT_FILENO ? "write to standard output" : "write to standard error");
    }

private:
    int descriptor_;
    int failure_ = 0;
    bool closed_ = false;
    std::function<void()> hear_closed_;
};

} // namespace

std::unique_ptr<Output> make_fd_output(int descriptor)
{
    return std::make_unique<FdOutput>(descriptor);
}

void BufferedOutput::flush()
{
    if (buffer_.empty())
        return;
    output_.write(buffer_);
    buffer_.clear();
}

} // namespace gantry::app

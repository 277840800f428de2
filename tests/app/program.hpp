#pragma once

#include "app/main.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace gantry::test {

struct Ran {
    int exit_code = -1;
    std::string out, err;
};

// Stands for a standard stream until the object goes away.
class CapturedStream {
public:
    explicit CapturedStream(int descriptor, int file = ::memfd_create("captured", MFD_CLOEXEC))
        : descriptor_(descriptor), saved_(::dup(descriptor)), file_(file)
    {
        if (saved_ < 0 || file_ < 0 || ::dup2(file_, descriptor) < 0)
            throw std::runtime_error("cannot capture a stream");
    }
    CapturedStream(const CapturedStream&) = delete;
    ~CapturedStream()
    {
        ::dup2(saved_, descriptor_);
        ::close(saved_);
        ::close(file_);
    }

    std::string text() const
    {
        const auto size = ::lseek(file_, 0, SEEK_END);
        std::string bytes(size > 0 ? static_cast<std::size_t>(size) : 0, '\0'); // of a pipe: nothing
        const auto count = ::pread(file_, bytes.data(), bytes.size(), 0);
        bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return bytes;
    }

private:
    int descriptor_, saved_, file_;
};

// The whole program in this process, as `gantry ARGUMENTS…`; its standard output is `file`, which it then owns.
inline Ran run_gantry(std::vector<std::string> arguments, int file = ::memfd_create("captured", MFD_CLOEXEC))
{
    arguments.insert(arguments.begin(), "gantry");
    std::vector<char*> pointers;
    for (auto& argument : arguments)
        pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    Ran ran;
    const CapturedStream out(STDOUT_FILENO, file), err(STDERR_FILENO);
    ran.exit_code = app::run_main(static_cast<int>(arguments.size()), pointers.data());
    ran.out = out.text();
    ran.err = err.text();
    return ran;
}

} // namespace gantry::test

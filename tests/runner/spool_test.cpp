#include "base/scratch.hpp"
#include "runner/spool.hpp"
#include "support/catch.hpp"

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <iterator>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gantry;

namespace {

// From here on no file system of this process has files without a name.
bool refuse_nameless_files()
{
    constexpr unsigned k_nameless = O_TMPFILE & ~O_DIRECTORY;
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, k_nameless, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

bool can_spool(const std::string& folder)
{
    const auto file = runner::spool_file(folder);
    write_all(file, "spooled", folder);
    char bytes[8];
    return std::filesystem::is_empty(folder) && ::pread(file.get(), bytes, sizeof bytes, 0) == 7 && (::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0;
}

} // namespace

TEST_CASE("a spool has no name, and needs no file system that has files without one", "[spool]")
{
    const Scratch folder;
    CHECK(can_spool(folder.path()));
    const auto child = ::fork();
    if (child == 0) {
        if (!refuse_nameless_files())
            ::_exit(7);
        const bool is_refused = ::open(folder.path().c_str(), O_TMPFILE | O_RDWR, 0600) < 0 && errno == EOPNOTSUPP;
        try {
            ::_exit(is_refused && can_spool(folder.path()) ? 0 : 1);
        } catch (...) {
            ::_exit(2);
        }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

#include "base/error.hpp"
#include "base/secret.hpp"
#include "support/catch.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <cerrno>
#include <new>
#include <ostream>
#include <stdexcept>
#include <type_traits>

using namespace gantry;

namespace {

template <typename Exception>
Error translated(Exception exception)
{
    return to_error(std::make_exception_ptr(std::move(exception)));
}

template <typename T, typename = void>
struct is_printable : std::false_type {};
template <typename T>
struct is_printable<T, std::void_t<decltype(std::declval<std::ostream&>() << std::declval<const T&>())>> : std::true_type {};

} // namespace

TEST_CASE("context is put in front, outermost first", "[base]")
{
    Error error(Errc::unavailable, "connection refused");

    error.add_context("pull alpine:3.20");
    error.add_context("step build");

    CHECK(error.what() == std::string("step build: pull alpine:3.20: connection refused"));
    CHECK(error.code() == Errc::unavailable);
}

TEST_CASE("a hint stays apart from the text and survives added context", "[base]")
{
    auto error = Error(Errc::not_found, "no such file").with_hint("run `gantry init`");
    error.add_context("open");

    CHECK(error.hint() == "run `gantry init`");
    CHECK(error.what() == std::string("open: no such file"));
}

TEST_CASE("errno decides what the caller can do", "[base]")
{
    CHECK(errno_error(ENOENT, "open a").code() == Errc::not_found);
    CHECK(errno_error(EACCES, "open a").code() == Errc::denied);
    CHECK(errno_error(EEXIST, "open a").code() == Errc::conflict);
    CHECK(errno_error(ENOSPC, "write a").code() == Errc::no_space);
    CHECK(errno_error(EDQUOT, "write a").code() == Errc::no_space);
    CHECK(errno_error(ECONNREFUSED, "connect").code() == Errc::unavailable);
    CHECK(errno_error(EIO, "read a").code() == Errc::internal);
    CHECK(errno_error(ENOENT, "open a").what() == std::string("open a: No such file or directory"));
}

TEST_CASE("any exception becomes an Error for the roots", "[base]")
{
    CHECK(translated(Error(Errc::denied, "no", "ask")).hint() == "ask");
    CHECK(translated(boost::system::system_error(boost::asio::error::operation_aborted)).code() == Errc::cancelled);
    CHECK(translated(boost::system::system_error(boost::asio::error::connection_refused)).code() == Errc::unavailable);
    CHECK(translated(boost::system::system_error(ENOSPC, boost::system::system_category())).code() == Errc::no_space);
    CHECK(translated(boost::system::system_error(ENOENT, boost::system::generic_category())).code() == Errc::not_found);
    CHECK(translated(boost::system::system_error(boost::asio::error::eof)).code() == Errc::unavailable);
    CHECK(translated(std::bad_alloc()).what() == std::string("out of memory"));
    CHECK(translated(std::runtime_error("odd")).what() == std::string("odd"));
    CHECK(translated(42).code() == Errc::internal);
}

TEST_CASE("every error code has a name of its own", "[base]")
{
    CHECK(to_string(Errc::bad_input) == "bad_input");
    CHECK(to_string(Errc::no_space) == "no_space");
    CHECK(to_string(Errc::unsupported) == "unsupported");
    CHECK(to_string(Errc::internal) == "internal");
}

TEST_CASE("a secret cannot be printed or converted by accident", "[base]")
{
    static_assert(!is_printable<Secret>::value);
    static_assert(!std::is_convertible_v<Secret, std::string>);
    static_assert(!std::is_convertible_v<std::string, Secret>);

    Secret token(std::string("s3cr3t"));
    Secret copy = token;
    const Secret moved = std::move(token);
    copy = Secret(std::string("another one, long enough for the heap"));

    CHECK(moved.reveal() == "s3cr3t");
    CHECK(copy.reveal() == "another one, long enough for the heap");
    CHECK(Secret().empty());
}

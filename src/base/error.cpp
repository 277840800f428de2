#include "base/error.hpp"

#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace gantry {

std::string_view to_string(Errc code)
{
    switch (code) {
    case Errc::bad_input: return "bad_input";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "conflict";
    case Errc::denied: return "denied";
    case Errc::unavailable: return "unavailable";
    case Errc::timed_out: return "timed_out";
    case Errc::no_space: return "no_space";
    case Errc::cancelled: return "cancelled";
    case Errc::unsupported: return "unsupported";
    case Errc::internal: return "internal";
    }
    return "internal";
}

Error::Error(Errc code, std::string what, std::string hint)
    : code_(code), what_(std::move(what)), hint_(std::move(hint))
{
}

void Error::add_context(std::string_view phrase)
{
    what_.insert(0, std::string(phrase) + ": ");
}

Error&& Error::with_hint(std::string hint) &&
{
    hint_ = std::move(hint);
    return std::move(*this);
}

namespace {

Errc code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR: return Errc::not_found;
    case EACCES:
    case EPERM:
    case EROFS: return Errc::denied;
    case EEXIST:
    case EBUSY: return Errc::conflict;
    case ENOSPC:
    case EDQUOT: return Errc::no_space;
    case ETIMEDOUT: return Errc::timed_out;
    case ECANCELED: return Errc::cancelled;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH: return Errc::unavailable;
    case ELOOP:
    case EXDEV:
    case EINVAL:
    case ENAMETOOLONG: return Errc::bad_input;
    default: return Errc::internal;
    }
}

} // namespace

Error errno_error(int number, std::string what)
{
    return Error(code_of_errno(number), std::move(what) + ": " + std::strerror(number));
}

Error to_error(std::exception_ptr failure)
{
    try {
        std::rethrow_exception(std::move(failure));
    } catch (const Error& error) {
        return error;
    } catch (const boost::system::system_error& error) {
        const auto& code = error.code();
        if (code == boost::system::errc::operation_canceled)
            return Error(Errc::cancelled, "cancelled");
        const bool is_errno =
            code.category() == boost::system::system_category() || code.category() == boost::system::generic_category();
        return Error(is_errno ? code_of_errno(code.value()) : Errc::unavailable, code.message());
    } catch (const std::bad_alloc&) {
        return Error(Errc::internal, "out of memory");
    } catch (const std::exception& error) {
        return Error(Errc::internal, error.what());
    } catch (...) {
        return Error(Errc::internal, "unknown exception");
    }
}

void assertion_failed(const char* expression, const char* file, int line)
{
    std::fprintf(stderr, "gantry: this is a bug: %s does not hold (%s:%d)\n", expression, file, line);
    std::abort();
}

} // namespace gantry

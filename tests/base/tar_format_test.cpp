#include "base/tar_format.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

using namespace gantry;

namespace {

std::string with_size(const std::string& field)
{
    auto header = new_tar_header("a", '0');
    put_in_tar(header, tar_field::size, field);
    return header;
}

std::uint64_t size_of(const std::string& field)
{
    return size_in_tar(with_size(field), tar_field::size);
}

} // namespace

TEST_CASE("a number of a header is octal digits, or base 256", "[base]")
{
    CHECK(size_of("00000000017") == 15);
    CHECK(size_of("     17 ") == 15);
    CHECK(size_of("") == 0);
    CHECK(size_of(std::string("\x80\0\0\0\0\0\0\0\0\0\1\2", 12)) == 258);
    CHECK(number_in_tar(with_size(std::string(11, '\xff') + "\xfe"), tar_field::size) == -2);
    CHECK_THROWS_AS(size_of(std::string(12, '\xff')), Error);
    CHECK_THROWS_AS(size_of("0000000001x"), Error);
    CHECK_THROWS_AS(size_of(std::string("\x80\0\0\1\0\0\0\0\0\0\0\5", 12)), Error); // 2^64 + 5
    CHECK_THROWS_AS(size_of(std::string("\x80\0\0\0\x10\0\0\0\0\0\0\1", 12)), Error); // 2^60 + 1
}

TEST_CASE("a number of a pax record is decimal digits, all of it", "[base]")
{
    CHECK(size_in_pax("0") == 0);
    CHECK(size_in_pax("1152921504606846976") == k_tar_size_limit_bytes);
    CHECK(number_in_pax("-7") == -7);
    for (const auto* wrong : {"", "x", "5k", " 5", "-1", "1152921504606846977", "18446744073709551621"})
        CHECK_THROWS_AS(size_in_pax(wrong), Error);
}

TEST_CASE("a number that a field has no room for is not cut in two", "[base]")
{
    auto header = new_tar_header("a", '0');
    put_number_in_tar(header, tar_field::size, 077777777777);
    CHECK(size_in_tar(header, tar_field::size) == 077777777777);
    put_number_in_tar(header, tar_field::size, 0100000000000);
    CHECK(size_in_tar(header, tar_field::size) == 0);
}

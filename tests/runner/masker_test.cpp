#include "support/catch.hpp"

#include "base/format.hpp"
#include "runner/line_folds.hpp"
#include "runner/masker.hpp"
#include "runner/masker_patterns.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace gantry;
using namespace gantry::runner;

namespace {

MaskSet set_of(const std::vector<std::string>& values)
{
    std::vector<std::pair<std::string, Secret>> secrets;
    for (const auto& value : values)
        secrets.emplace_back("s" + std::to_string(secrets.size()), Secret(value));
    return MaskSet(secrets);
}

std::string masked(const MaskSet& set, const std::vector<std::string>& pieces)
{
    Masker masker(set);
    std::string out;
    for (const auto& piece : pieces)
        masker.feed(piece, out);
    masker.finish(out);
    return out;
}

std::string masked(const std::string& secret, const std::string& text)
{
    return masked(set_of({secret}), std::vector<std::string>{text});
}

// Where each byte stands that is left of a text without its line breaks and the blanks behind them.
std::vector<std::size_t> without_breaks(const std::string& text)
{
    std::vector<std::size_t> left;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '\n' && text[at] != '\r') {
            left.push_back(at++);
            continue;
        }
        const std::size_t end = std::min(text.find_first_not_of("\r\n \t", at), text.size());
        if (end - at > k_longest_fold_bytes)
            left.push_back(text.find_first_of("\r\n", at));
        at = end;
    }
    return left;
}

void cover_folded(const std::vector<std::string>& values, const std::string& text, std::vector<bool>& covered)
{
    const auto left = without_breaks(text);
    std::string folded;
    for (const auto at : left)
        folded += text[at];
    for (const auto& value : values)
        for (const auto& pattern : foldable_patterns(value))
            for (std::size_t at = folded.find(pattern); at != std::string::npos; at = folded.find(pattern, at + 1)) {
                std::size_t begin = left[at];
                for (std::size_t i = 1; i < std::min<std::size_t>(4, pattern.size()); ++i)
                    if (left[at + i] != left[at + i - 1] + 1)
                        begin = left[at + i]; // too little before the break
                std::fill(covered.begin() + static_cast<std::ptrdiff_t>(begin),
                          covered.begin() + static_cast<std::ptrdiff_t>(left[at + pattern.size() - 1] + 1), true);
            }
}

// What the masker promises, in the simplest way: every byte of every occurrence is covered, each covered stretch is one "***".
std::string expected(const std::vector<std::string>& values, const std::string& text)
{
    std::vector<bool> covered(text.size());
    cover_folded(values, text, covered);
    for (const auto& value : values)
        for (const auto& pattern : mask_patterns(value))
            for (std::size_t at = text.find(pattern); at != std::string::npos; at = text.find(pattern, at + 1))
                std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(at), pattern.size(), true);
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (!covered[at])
            out += text[at];
        else if (at == 0 || !covered[at - 1])
            out += "***";
    }
    return out;
}

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t limit)
{
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

std::string random_text(Random& random, std::size_t size, std::string_view alphabet)
{
    std::string text;
    for (std::size_t i = 0; i < size; ++i)
        text += alphabet[below(random, alphabet.size())];
    return text;
}

std::vector<std::string> cut(Random& random, const std::string& text, std::size_t longest)
{
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
        pieces.push_back(text.substr(at, below(random, longest + 1)));
        at += pieces.back().size();
    }
    return pieces;
}

std::string wrapped(const std::string& text, std::size_t columns, const std::string& between)
{
    std::string lines;
    for (std::size_t at = 0; at < text.size(); at += columns)
        lines += text.substr(at, columns) + between;
    return lines;
}

} // namespace

TEST_CASE("a secret becomes *** and the rest stays", "[masker]")
{
    CHECK(masked("hunter22", "password is hunter22.\n") == "password is ***.\n");
    CHECK(masked("hunter22", "hunter22") == "***");
    CHECK(masked("hunter22", "hunter2") == "hunter2");
    CHECK(masked("hunter22", "") == "");
    CHECK(masked("hunter22", "hunter22 hunter22hunter22") == "*** ***");
    CHECK(masked("abcabc", "xabcabcabcx") == "x***x");
    CHECK(masked("a.*b[", "a.*b[ axxb[") == "*** axxb[");
    CHECK(masked("****", "** *** ****") == "** *** ***");
    CHECK(masked(std::string("a\0b\xff", 4), std::string("xa\0b\xffy", 6)) == "x***y");
}

TEST_CASE("a text as a whole is masked, also at its end", "[masker]")
{
    const auto set = set_of({"swordfish"});
    CHECK(mask_text(set, "a swordfish") == "a ***");
    CHECK(mask_text(set, "a swordfis") == "a swordfis");
    CHECK(mask_beginning(set, "a swordfish and a swordfis") == "a *** and a ");
    CHECK(mask_beginning(set, "a sword, and") == "a sword, and");
    CHECK(mask_text(set, "") == "");
}

TEST_CASE("of several secrets the longest match wins", "[masker]")
{
    const auto set = set_of({"secret", "secret-key", "key-of-all"});
    CHECK(masked(set, {"secret-key!"}) == "***!");
    CHECK(masked(set, {"secret-ke!"}) == "***-ke!");
    CHECK(masked(set, {"secret-key-of-all"}) == "***");
    CHECK(masked(set, {"a key-of-al"}) == "a key-of-al");
}

TEST_CASE("short secrets are not masked but named", "[masker]")
{
    const MaskSet set({{"PIN", Secret("123")}, {"EMPTY", Secret("")}, {"NEWLINE", Secret("ab\n\n")}, {"TOKEN", Secret("1234")}});
    CHECK(set.short_names() == std::vector<std::string>{"PIN", "EMPTY", "NEWLINE"});
    CHECK(masked(set, {"123 1234"}) == "123 ***");
    CHECK(set_of({"123"}).empty());
    CHECK(masked(set_of({}), {"a", "b"}) == "ab");
}

TEST_CASE("encoded forms are masked", "[masker]")
{
    const std::string secret = "p@ss wörd/\"x\"'&<1>";
    const auto text = GENERATE(as<std::string>(), "p@ss wörd/\"x\"'&<1>",
                               "p%40ss%20w%C3%B6rd%2F%22x%22%27%26%3C1%3E",  // percent-encoded
                               "p%40ss%20w%c3%b6rd%2f%22x%22%27%26%3c1%3e",  // in small letters
                               "p%40ss+w%C3%B6rd%2F%22x%22%27%26%3C1%3E",    // as a form
                               "p%40ss%20w%C3%B6rd%2F%22x%22'%26%3C1%3E",    // encodeURIComponent
                               "p@ss wörd/\\\"x\\\"'&<1>",                   // JSON
                               "p@ss w\\u00f6rd/\\\"x\\\"'&<1>",             // Python's json.dumps
                               "p@ss w\\u00f6rd\\/\\\"x\\\"'&<1>",           // PHP's json_encode
                               "p@ss wörd/\\\"x\\\"'\\u0026\\u003c1\\u003e", // Go's
                               "p@ss wörd/\\\\\\\"x\\\\\\\"'&<1>",           // JSON in JSON
                               "p@ss wörd/\"x\"'\\''&<1>",                   // a shell's 'quotes'
                               "cEBzcyB3w7ZyZC8ieCInJjwxPg==",               // base64
                               "cEBzcyB3w7ZyZC8ieCInJjwxPgo=");              // of its line
    INFO(text);
    CHECK(masked(secret, "a" + text + "b") == "a***b");
}

TEST_CASE("JSON that is safe in HTML pages is masked, by whichever encoder", "[masker]")
{
    const std::string secret = "p\"'+/&<=>`ö\\";
    const auto text =
        GENERATE(as<std::string>(), "p\\u0022\\u0027\\u002B/\\u0026\\u003C=\\u003E\\u0060\\u00F6\\\\", // .NET's
                 "p\\u0022\\u0027\\u002B/\\u0026\\u003C=\\u003E\\u0060ö\\\\",                        // with all letters allowed
                 "p\\\\u0022\\\\u0027\\\\u002B/\\\\u0026\\\\u003C=\\\\u003E\\\\u0060\\\\u00F6\\\\\\\\", // JSON in JSON
                 "p\\u0022\\u0027+\\/\\u0026\\u003C=\\u003E`\\u00f6\\\\",                            // PHP's, all of JSON_HEX_…
                 "p\\u0022\\u0027+/\\u0026\\u003C=\\u003E`ö\\\\",                                   // with slashes and letters as they are
                 "p\\\"\\u0027+/\\u0026\\u003c=\\u003e`\\u00f6\\\\",                                // Flask's
                 "p\\u0022\\u0027+/\\u0026\\u003c=\\u003e`ö\\\\",                                   // Newtonsoft's
                 "p\\\"\\u0027+/\\u0026\\u003c\\u003d\\u003e`ö\\\\",                                // Gson's
                 "p\\u0022\\u0027\\u002B\\u002F\\u0026\\u003C=\\u003E\\u0060\\u00F6\\\\",
                 "p\\u0022\\u0027\\u002b\\u002f\\u0026\\u003c=\\u003e\\u0060\\u00f6\\\\");
    INFO(text);
    CHECK(masked(secret, "a" + text + "b") == "a***b");
}

TEST_CASE("a secret has as many patterns as its encodings differ", "[masker]")
{
    const auto plain = mask_patterns("hunter22");
    CHECK(std::none_of(plain.begin(), plain.end(), [](const std::string& pattern) { return pattern.find('\\') != std::string::npos; }));
    CHECK(plain.size() < 20);
    CHECK(mask_patterns("p\"+/&<=>'`").size() < 70);
}

TEST_CASE("base64 hides a secret wherever it stands in what is encoded", "[masker]")
{
    Random random(1);
    for (int round = 0; round < 300; ++round) {
        const std::string secret = random_text(random, 6 + below(random, 40), "abcXYZ0189-_/+=?");
        const std::string before = random_text(random, below(random, 7), "user:");
        const std::string after = random_text(random, below(random, 7), "@host");
        for (const auto& encoded : {base64_encode(before + secret + after), base64url_encode(before + secret + after)}) {
            const auto out = masked(secret, encoded);
            INFO(encoded << " " << out);
            CHECK(out.find("***") != std::string::npos);
            // What may stay: the characters that hold bits of the neighbours, and those beside.
            CHECK(out.size() <= 3 + (before.size() + 2) / 3 * 4 + (after.size() + 2) / 3 * 4 + 4);
        }
    }
}

TEST_CASE("base64 wrapped into lines is masked", "[masker]")
{
    const std::string secret = random_hex(200);
    const std::string encoded = base64_encode(secret + "\n");
    for (const std::size_t columns : {64U, 76U}) {
        std::string text;
        for (std::size_t at = 0; at < encoded.size(); at += columns)
            text += encoded.substr(at, columns) + "\n";
        const auto out = masked(secret, text);
        INFO(out);
        for (const auto& line : split(out, '\n'))
            CHECK(line.size() <= 12);
    }
}

TEST_CASE("base64 is masked wherever the secret stands in it and however it is wrapped", "[masker]")
{
    const unsigned seed = GENERATE(range(1U, 200U));
    INFO("seed " << seed);
    Random random(seed);
    const std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/+=?";
    const std::string secret = random_text(random, 6 + below(random, 150), letters);
    const std::string before = random_text(random, below(random, 81), letters);
    const std::string after = random_text(random, below(random, 20), letters);
    const std::size_t columns = 20 + below(random, 57);
    const std::vector<std::string> breaks{"\n", "\r\n", "\n    ", "\r", "\n\t\t"};
    const std::string& between = breaks[below(random, breaks.size())];
    const MaskSet set = set_of({secret});
    for (const auto& encoded : {base64_encode(before + secret + after), base64url_encode(before + secret + after)}) {
        const std::string text = wrapped(encoded, columns, between);
        const std::string out = masked(set, {text});
        INFO(text << out);
        CHECK(out == expected({secret}, text));
        // What may stay are the neighbours, and 3 characters at the end of a line.
        std::string shown;
        for (const char c : out)
            if (std::string_view("\r\n\t *").find(c) == std::string_view::npos)
                shown += c;
        CHECK(shown.size() <= (before.size() + 2) / 3 * 4 + (after.size() + 2) / 3 * 4 + 7);
        for (const std::size_t longest : {1U, 2U, 7U, 64U})
            CHECK(masked(set, cut(random, text, longest)) == out);
        for (std::size_t at = 0; at <= text.size(); ++at)
            CHECK(masked(set, {text.substr(0, at), text.substr(at)}) == out);
    }
}

TEST_CASE("lines that do not wrap a secret stay as they are", "[masker]")
{
    const MaskSet set = set_of({"hunter22"}); // aHVudGVyMjI
    CHECK(masked(set, {"aHVudGVy\nMjI"}) == "***");
    CHECK(masked(set, {"aHVudGVy\n> MjI"}) == "aHVudGVy\n> MjI");
    CHECK(masked(set, {"hunter\n22"}) == "hunter\n22");
    CHECK(masked(set, {"aHVudGVy\n" + std::string(k_longest_fold_bytes - 1, ' ') + "MjI"}) == "***");
    const std::string apart = "aHVudGVy\n" + std::string(k_longest_fold_bytes, ' ') + "MjI";
    CHECK(masked(set, {apart}) == apart);
}

TEST_CASE("a line's end waits for the next line only when it may be the beginning of a secret", "[masker]")
{
    const MaskSet set = set_of({"hunter22"});
    Masker masker(set);
    std::string out;
    masker.feed("in aHV\n", out);
    CHECK(out == "in aHV\n");
    masker.feed("udGVyMjI\nin aHVu\n", out);
    CHECK(out == "in aHV\n***\nin ");
    masker.feed(std::string(1000, '\n'), out);
    CHECK(masker.held() == 0);
    masker.finish(out);
    CHECK(out == "in aHV\n***\nin aHVu\n" + std::string(1000, '\n'));
}

TEST_CASE("a secret of several lines is masked as a whole, with CR LF, and line by line", "[masker]")
{
    const std::string key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSj\n}\n-----END KEY-----\n";
    const std::string crlf = "-----BEGIN KEY-----\r\nMIIEvQIBADANBgkqhkiG9w0B\r\nAQEFAASCBKcwggSj\r\n}\r\n-----END KEY-----\r\n";
    CHECK(masked(key, "x" + key + "y") == "x***\ny");
    CHECK(masked(key, "x" + crlf + "y") == "x***\r\ny");
    CHECK(masked(crlf, "x" + key + "y") == "x***\ny");
    CHECK(masked(key, "line 2: MIIEvQIBADANBgkqhkiG9w0B, } stays") == "line 2: ***, } stays");
    CHECK(masked(key, "-----BEGIN KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B\\nAQEFAASCBKcwggSj\\n}\\n-----END KEY-----") == "***");
    CHECK(masked("a\nbb\n", "a bb") == "a bb");
}

TEST_CASE("however the bytes are cut, the output is that of masking them at once, and holds no secret", "[masker]")
{
    const unsigned seed = GENERATE(range(1U, 400U));
    INFO("seed " << seed);
    Random random(seed);
    // Few letters: many overlaps and false beginnings.
    const std::string_view alphabet = seed % 3 == 0 ? "ab" : seed % 3 == 1 ? "abc\n" : "abcdefghijklmnopqrstuvwxyz \n\"'";
    std::vector<std::string> values;
    for (std::size_t count = 1 + below(random, 5); count > 0; --count)
        values.push_back(random_text(random, 4 + below(random, seed % 2 == 0 ? 4 : 30), alphabet));
    std::string text;
    for (int part = 0; part < 40; ++part) {
        text += random_text(random, below(random, 20), alphabet);
        const auto& value = values[below(random, values.size())];
        text += value.substr(0, below(random, value.size() + 1)); // often just the beginning
        if (below(random, 3) == 0)
            text += value;
        if (below(random, 8) == 0)
            text += base64_encode("x" + value);
        if (below(random, 8) == 0)
            text += wrapped(base64_encode("xyz" + value), 2 + below(random, 20), below(random, 2) == 0 ? "\n" : "\r\n  ");
    }
    const MaskSet set = set_of(values);
    const std::string want = expected(values, text);
    CHECK(masked(set, {text}) == want);
    for (const std::size_t longest : {1U, 2U, 7U, 64U})
        CHECK(masked(set, cut(random, text, longest)) == want);
}

TEST_CASE("what cannot be a secret any more is shown at once", "[masker]")
{
    const MaskSet set = set_of({"hunter22"});
    Masker masker(set);
    std::string out;
    masker.feed("a hun", out);
    CHECK(out == "a ");
    CHECK(masker.held() == 3);
    masker.feed("ger", out);
    CHECK(out == "a hunger");
    CHECK(masker.held() == 0);
    masker.feed(" hunter2", out);
    CHECK(out == "a hunger ");
    masker.feed("2", out);
    masker.feed("!", out);
    CHECK(out == "a hunger ***!");
    masker.feed("hunter2", out);
    masker.finish(out);
    CHECK(out == "a hunger ***!hunter2");
}

TEST_CASE("the set may go away before its maskers", "[masker]")
{
    auto set = std::make_unique<MaskSet>(set_of({"hunter22"}));
    Masker masker(*set);
    set.reset();
    std::string out;
    masker.feed("hunter22", out);
    masker.finish(out);
    CHECK(out == "***");
}

TEST_CASE("a thousand secrets and one of a megabyte are masked", "[masker]")
{
    Random random(7);
    const std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    std::vector<std::string> values{random_text(random, 1 << 20, letters)};
    for (int i = 0; i < 1000; ++i)
        values.push_back(random_text(random, 20, letters));
    const MaskSet set = set_of(values);
    const std::string text = "a " + values[0] + " b " + values[1] + " c " + base64_encode(values[1000]) + " d";
    CHECK(masked(set, {text}) == "a *** b *** c *** d");
    CHECK(masked(set, cut(random, text, 65536)) == "a *** b *** c *** d");
}

TEST_CASE("time does not grow with the length of a secret that the text keeps beginning", "[masker]")
{
    const MaskSet set = set_of({std::string(10000, 'a') + "b"});
    const std::string text(4 << 20, 'a'); // 4 MB: 40 G steps if each position were tried by itself
    CHECK(masked(set, {text}) == text);
}

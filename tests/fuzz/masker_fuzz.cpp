// Secrets and text from the input: however the text is cut, the masked output is the same and shows no secret.
// First byte: how the text is cut; then secrets up to an empty line, one a line; then the text.

#include "runner/masker.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace gantry;
using namespace gantry::runner;

namespace {

std::string masked(const MaskSet& set, std::string_view text, std::size_t piece_bytes)
{
    Masker masker(set);
    std::string out;
    for (; !text.empty(); text.remove_prefix(std::min(piece_bytes, text.size())))
        masker.feed(text.substr(0, piece_bytes), out);
    masker.finish(out);
    return out;
}

// What a mask puts between its neighbours may spell a secret made of asterisks.
bool shows(const std::string& out, const std::string& secret)
{
    return secret.find('*') == std::string::npos && out.find(secret) != std::string::npos;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const std::size_t piece_bytes = 1 + data[0] % 61;
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::vector<std::pair<std::string, Secret>> secrets;
    while (!rest.empty() && rest.front() != '\n' && secrets.size() < 8) {
        const std::size_t end = std::min({rest.find('\n'), rest.size(), std::size_t{200}});
        secrets.emplace_back("s", Secret(std::string(rest.substr(0, end))));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    const MaskSet set(secrets);
    const std::string whole = masked(set, rest, rest.size() + 1);
    if (masked(set, rest, piece_bytes) != whole)
        std::abort();
    for (const auto& [name, secret] : secrets) {
        const std::string& value = secret.reveal();
        if (value.size() >= 4 && value.find('\r') == std::string::npos && shows(whole, value))
            std::abort();
    }
    return 0;
}

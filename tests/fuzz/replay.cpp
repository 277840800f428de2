// A driver for fuzz targets without libFuzzer: every seed of a folder, then mutations of the seeds in an order that
// depends on nothing but the seeds, until a number of them or a time is reached.
//
//   NAME_fuzz [--mutations N] [--seconds S] [--only MUTATION] FOLDER|FILE...
//
// A crash, or an input that takes more than 10 s, is written to crash-NAME.bin in the current folder.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr unsigned k_seconds_per_input = 10;
constexpr std::size_t k_max_input_bytes = 64 * 1024;

// Bytes that mean something to one of the targets; random bytes rarely spell them.
constexpr std::string_view k_tokens[] = {
    "${{", "}}", "${{ ", " }}", "&&", "||", "==", "!", "(", ")", "[", "]", "{", "}", ": ", "- ", "\n", "\n  ", "\t", "&a ", "*a", "<<: *a",
    "|\n", ">-\n", "\"", "'", "\\", "\\u0000", "%2e", "../", "/", "*", "**", "?", "0", "-1", "99999999999999999999", "1e999",
    "stages:\n", "steps:\n", "run: ", "image: ", "needs: ", "matrix: ", "if: ", "\xff\xfe", "\xc0\x80", "\xef\xbb\xbf", "\r\n",
    std::string_view("\0", 1), std::string_view("\x01\0\0\0\0\0\0\x05", 8), std::string_view("\x02\0\0\0\xff\xff\xff\xff", 8)};

struct Options {
    std::uint64_t mutations = 100'000;
    std::uint64_t seconds = 20;
    std::uint64_t only = 0; // 0: all
    std::vector<std::string> seeds;
};

// What runs at the moment, for the signal handler.
const std::string* g_input = nullptr;
char g_crash_file[128];

void write_all(int descriptor, std::string_view text)
{
    while (!text.empty()) {
        const auto count = ::write(descriptor, text.data(), text.size());
        if (count <= 0)
            return;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

void on_signal(int number)
{
    write_all(STDERR_FILENO, number == SIGALRM ? "an input takes too long; it is in " : "an input crashes; it is in ");
    write_all(STDERR_FILENO, g_crash_file);
    write_all(STDERR_FILENO, "\n");
    const int file = ::open(g_crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file >= 0 && g_input != nullptr)
        write_all(file, *g_input);
    ::_exit(1);
}

void run_input(const std::string& input)
{
    // A copy of exactly this size, so that reading one byte too far is seen by the sanitizer.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    g_input = &input;
    ::alarm(k_seconds_per_input);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    ::alarm(0);
    g_input = nullptr;
}

class Mutator {
public:
    explicit Mutator(const std::vector<std::string>& seeds) : seeds_(seeds) {}

    // The same for the same number, whatever came before.
    std::string mutation(std::uint64_t number)
    {
        random_.seed(number);
        auto input = seeds_[below(seeds_.size())];
        const auto rounds = 1 + below(6);
        for (std::uint64_t i = 0; i < rounds; ++i)
            mutate(input);
        input.resize(std::min(input.size(), k_max_input_bytes));
        return input;
    }

private:
    std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }

    void mutate(std::string& input)
    {
        const auto at = below(input.size() + 1);
        const auto length = std::min(below(1 + below(64)), input.size() - at);
        switch (below(8)) {
        case 0: // one byte
            if (at < input.size())
                input[at] = static_cast<char>(below(256));
            break;
        case 1: // one bit
            if (at < input.size())
                input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
            break;
        case 2: input.erase(at, length); break;
        case 3: input.insert(at, input.substr(at, length)); break;
        case 4: input.insert(at, k_tokens[below(std::size(k_tokens))]); break;
        case 5: { // a piece of another seed
            const auto& other = seeds_[below(seeds_.size())];
            const auto from = below(other.size() + 1);
            input.insert(at, other.substr(from, below(256)));
            break;
        }
        case 6: input.resize(at); break;
        case 7: { // many of one piece
            const auto piece = std::string(k_tokens[below(std::size(k_tokens))]);
            for (auto times = below(200); times > 0; --times)
                input.insert(at, piece);
            break;
        }
        }
    }

    const std::vector<std::string>& seeds_;
    std::mt19937_64 random_;
};

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
        if (argument == "--mutations")
            options.mutations = number();
        else if (argument == "--seconds")
            options.seconds = number();
        else if (argument == "--only")
            options.only = number();
        else
            options.seeds.emplace_back(argument);
    }
    return options;
}

std::string read_file(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// In the order of their names: directories list in any order.
std::vector<std::string> read_seeds(const std::vector<std::string>& places)
{
    std::vector<std::filesystem::path> files;
    for (const std::filesystem::path place : places) {
        if (std::filesystem::is_regular_file(place))
            files.push_back(place);
        else if (std::filesystem::is_directory(place))
            for (const auto& entry : std::filesystem::recursive_directory_iterator(place))
                if (entry.is_regular_file())
                    files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<std::string> seeds;
    for (const auto& file : files)
        seeds.push_back(read_file(file));
    return seeds;
}

} // namespace

int main(int argc, char** argv)
{
    const auto options = parse(argc, argv);
    const auto program = std::filesystem::path(argv[0]).filename().string();
    std::snprintf(g_crash_file, sizeof g_crash_file, "crash-%s.bin", program.c_str());
    for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM})
        std::signal(number, on_signal);

    auto seeds = read_seeds(options.seeds);
    for (const auto& seed : seeds)
        run_input(seed);
    const auto count = seeds.size();
    if (seeds.empty())
        seeds.emplace_back();

    Mutator mutator(seeds);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
    std::uint64_t done = 0;
    for (std::uint64_t number = 1; number <= options.mutations && std::chrono::steady_clock::now() < end; ++number) {
        if (options.only != 0 && number != options.only)
            continue;
        run_input(mutator.mutation(number));
        ++done;
    }
    std::printf("%zu seeds and %llu mutations of them\n", count, static_cast<unsigned long long>(done));
    return 0;
}

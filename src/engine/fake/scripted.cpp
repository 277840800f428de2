#include "engine/fake/scripted.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace gantry::engine {

namespace {

[[noreturn]] void refuse(const std::string& what, std::string hint = {})
{
    throw Error(Errc::bad_input, std::string(k_fake_variable) + ": " + what, std::move(hint));
}

char unescaped(char letter)
{
    switch (letter) {
    case 'n': return '\n';
    case 't': return '\t';
    default: return letter;
    }
}

struct Word {
    std::string key, value;
    bool has_value = false;
};

// Words between blanks; quotes may stand anywhere in a value and are taken away.
std::vector<Word> words_of(std::string_view text)
{
    std::vector<Word> words;
    bool quoted = false, inside = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char letter = text[at];
        if (!quoted && (letter == ' ' || letter == '\t' || letter == '\n')) {
            inside = false;
            continue;
        }
        if (!std::exchange(inside, true))
            words.emplace_back();
        auto& word = words.back();
        if (letter == '"') {
            quoted = !quoted;
            continue;
        }
        if (!word.has_value && letter == '=') {
            word.has_value = true;
            continue;
        }
        if (letter == '\\' && at + 1 < text.size())
            letter = unescaped(text[++at]);
        (word.has_value ? word.value : word.key) += letter;
    }
    if (quoted)
        refuse("a quote is not closed");
    return words;
}

int number(const Word& word)
{
    int value = 0;
    const auto* end = word.value.data() + word.value.size();
    const auto [stop, error] = std::from_chars(word.value.data(), end, value);
    if (error != std::errc() || stop != end || value < 0 || value > 255)
        refuse(word.key + "=" + word.value + " is no exit code (0 to 255)");
    return value;
}

std::chrono::nanoseconds duration(const std::string& key, const std::string& text)
{
    if (const auto parsed = parse_duration(text))
        return *parsed;
    refuse(key + ": \"" + text + "\" is no duration", "write it like 50ms, 1.5s or 2m");
}

bool flag(const Word& word)
{
    if (!word.has_value || word.value == "1" || word.value == "true")
        return true;
    if (word.value == "0" || word.value == "false")
        return false;
    refuse(word.key + "=" + word.value + " is neither 0 nor 1");
}

// "before:behind"
std::pair<std::string, std::string> halves(const Word& word)
{
    const auto colon = word.value.find(':');
    if (colon == std::string::npos)
        refuse(word.key + "=" + word.value + " lacks a colon");
    return {word.value.substr(0, colon), word.value.substr(colon + 1)};
}

struct Meaning {
    const char* key;
    void (*apply)(FakeBehaviour&, const Word&);
};

constexpr Meaning k_meanings[] = {
    {"exit", [](FakeBehaviour& does, const Word& word) { does.exit_code = number(word); }},
    {"after", [](FakeBehaviour& does, const Word& word) { does.runs_for = duration(word.key, word.value); }},
    {"output", [](FakeBehaviour& does, const Word& word) { does.output += word.value; }},
    {"error", [](FakeBehaviour& does, const Word& word) { does.error_output += word.value; }},
    {"say",
     [](FakeBehaviour& does, const Word& word) {
         auto [when, bytes] = halves(word);
         does.says.push_back({duration(word.key, when), Stream::out, std::move(bytes)});
     }},
    {"file",
     [](FakeBehaviour& does, const Word& word) {
         auto [path, contents] = halves(word);
         if (!path.starts_with('/'))
             refuse("file=" + path + " is not absolute");
         does.files[path] = std::move(contents);
     }},
    {"oom", [](FakeBehaviour& does, const Word& word) { does.oom_killed = flag(word); }},
    {"never", [](FakeBehaviour& does, const Word& word) { does.never_ends = flag(word); }},
    {"ignore-signals", [](FakeBehaviour& does, const Word& word) { does.ignores_signals = flag(word); }},
    {"stops-within", [](FakeBehaviour& does, const Word& word) { does.stops_within = duration(word.key, word.value); }},
    {"signal-exit", [](FakeBehaviour& does, const Word& word) { does.exit_code_on_signal = number(word); }},
    {"start-error", [](FakeBehaviour& does, const Word& word) { does.start_error = word.value; }},
    {"healthy-after", [](FakeBehaviour& does, const Word& word) { does.healthy_after = duration(word.key, word.value); }},
    {"unhealthy", [](FakeBehaviour& does, const Word& word) { does.unhealthy = flag(word); }},
};

void apply(FakeBehaviour& behaviour, const Word& word)
{
    for (const auto& meaning : k_meanings)
        if (word.key == meaning.key)
            return meaning.apply(behaviour, word);
    std::vector<std::string> keys;
    for (const auto& meaning : k_meanings)
        keys.emplace_back(meaning.key);
    const auto near = nearest(word.key, keys);
    refuse("unknown word \"" + word.key + "\"",
           near ? "did you mean " + *near + "?" : "known are: " + join(keys, ", "));
}

FakeBehaviour behaviour_of(const ContainerSpec& spec)
{
    FakeBehaviour behaviour;
    const auto step = spec.labels.find("gantry.step");
    behaviour.never_ends = step != spec.labels.end() && step->second.starts_with("services/");
    for (const auto& [key, value] : spec.environment)
        if (key == k_fake_variable)
            behaviour = parse_behaviour(value);
    behaviour.waits_for_stdin = spec.open_stdin;
    return behaviour;
}

} // namespace

FakeBehaviour parse_behaviour(std::string_view text)
{
    FakeBehaviour behaviour;
    bool exits = false;
    for (const auto& word : words_of(text)) {
        apply(behaviour, word);
        exits = exits || word.key == "exit";
    }
    std::stable_sort(behaviour.says.begin(), behaviour.says.end(),
                     [](const FakeOutput& a, const FakeOutput& b) { return a.after < b.after; });
    if (behaviour.oom_killed && !exits)
        behaviour.exit_code = 137;
    return behaviour;
}

std::unique_ptr<FakeEngine> make_scripted_fake(asio::any_io_executor executor, Clock& clock)
{
    auto engine = std::make_unique<FakeEngine>(std::move(executor), clock);
    engine->on_start(behaviour_of);
    engine->forget_uploads();
    return engine;
}

} // namespace gantry::engine

#include "engine/docker/build_messages.hpp"

#include "base/format.hpp"

#include <charconv>
#include <string_view>

namespace gantry::engine::docker {

namespace {

constexpr std::string_view k_error_begin = "\x1b[91m"; // how Docker marks what came from standard error
constexpr std::string_view k_error_end = "\x1b[0m";

// Takes a number off the front; 0 if there is none.
int take_number(std::string_view& text)
{
    int number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return read.ec == std::errc() ? number : 0;
}

// Takes Podman's "[1/2] " off the front, of which builds of several stages have one for each step.
bool take_stage(std::string_view& text)
{
    auto rest = text;
    if (!rest.starts_with('['))
        return false;
    rest.remove_prefix(1);
    const int stage = take_number(rest);
    if (!rest.starts_with('/'))
        return false;
    rest.remove_prefix(1);
    if (stage < 1 || take_number(rest) < stage || !rest.starts_with("] "))
        return false;
    text = rest.substr(2);
    return true;
}

// "Step 2/5 : RUN make" (Docker), "STEP 2/5: RUN make\n" (Podman).
std::optional<BuildEvent> parse_step(std::string_view text)
{
    if (!text.starts_with("Step ") && !text.starts_with("STEP "))
        return std::nullopt;
    text.remove_prefix(5);
    BuildEvent event;
    event.kind = BuildEvent::Kind::step;
    event.step = take_number(text);
    if (!text.starts_with('/'))
        return std::nullopt;
    text.remove_prefix(1);
    event.steps = take_number(text);
    const auto colon = text.find_first_not_of(' ');
    if (event.step < 1 || event.steps < event.step || colon == std::string_view::npos || text[colon] != ':')
        return std::nullopt;
    event.text = trim(text.substr(colon + 1));
    return event;
}

// Ids of images and containers, which nobody reads.
bool is_noise(std::string_view text)
{
    return text.starts_with(" ---> ") || text.starts_with("--> ") || text.starts_with("Removing intermediate container ") ||
           text.starts_with("Successfully built ") || text.starts_with("Successfully tagged ") || text.starts_with("COMMIT");
}

bool is_from(std::string_view instruction)
{
    return to_lower(instruction.substr(0, 5)) == "from ";
}

bool gets_an_image(std::string_view instruction)
{
    return is_from(instruction) || to_lower(instruction.substr(0, 200)).find("--from=") != std::string::npos;
}

// Podman's "building at STEP "RUN make": while running runtime: exit status 7"; 0 for other words.
int exit_code_in(std::string_view error)
{
    constexpr std::string_view k_words = ": while running runtime: exit status ";
    const auto at = error.rfind(k_words);
    if (at == std::string_view::npos)
        return 0;
    auto rest = error.substr(at + k_words.size());
    const int code = take_number(rest);
    return rest.empty() ? code : 0;
}

// What Podman's builder says, without the value of a Go program that it prints behind it.
std::string readable(std::string error)
{
    if (const auto dump = error.find(" &imagebuilder.Step{"); dump != std::string::npos)
        error.resize(dump);
    return std::string(trim(error));
}

} // namespace

std::optional<BuildEvent> BuildMessages::add_text(const std::string& text)
{
    if (std::exchange(line_end_due_, false) && text == "\n")
        return std::nullopt;
    std::string_view line = text;
    const bool counts_in_stage = take_stage(line);
    auto begun = parse_step(line);
    if (begun && begun->step == 1 && counts_in_stage)
        before_stage_ = step_;
    if (begun && begun->step == step_ - before_stage_ + 1) {
        begun->step += before_stage_;
        begun->steps += before_stage_;
        step_ = begun->step;
        fetches_ = gets_an_image(begun->text);
        awaits_base_image_ = is_from(begun->text);
        line_end_due_ = !text.ends_with('\n');
        return begun;
    }
    awaits_base_image_ = false;
    BuildEvent event;
    if (text.starts_with(" ---> Using cache") || text.starts_with("--> Using cache")) {
        event.kind = BuildEvent::Kind::cached;
        event.step = step_;
        return event;
    }
    if (is_noise(text)) {
        if (constexpr std::string_view k_made = "--> "; text.starts_with(k_made)) // Podman's "--> 672b4c616b49"
            made_ = trim(std::string_view(text).substr(k_made.size()));
        return std::nullopt;
    }
    constexpr std::size_t k_id_digits = 64;
    if (const auto id = trim(text); id.size() == k_id_digits && !made_.empty() && id.starts_with(made_))
        return std::nullopt; // the whole of that
    event.text = text;
    if (text.starts_with(k_error_begin) && text.ends_with(k_error_end)) {
        event.stream = Stream::err;
        event.text = text.substr(k_error_begin.size(), text.size() - k_error_begin.size() - k_error_end.size());
    }
    return event;
}

std::optional<BuildEvent> BuildMessages::add(const Json& message)
{
    const auto& detail = field(message, "errorDetail");
    if (auto error = text_field(detail, "message"); !error.empty()) {
        error_ = readable(std::move(error));
        exit_code_ = static_cast<int>(number_field(detail, "code"));
        if (exit_code_ == 0)
            exit_code_ = exit_code_in(error_);
    } else if (error = text_field(message, "error"); !error.empty() && error_.empty()) {
        error_ = readable(std::move(error));
    }
    if (auto id = text_field(field(message, "aux"), "ID"); !id.empty())
        image_id_ = std::move(id);
    const auto text = text_field(message, "stream");
    return text.empty() ? std::nullopt : add_text(text);
}

} // namespace gantry::engine::docker

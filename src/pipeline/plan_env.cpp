#include "pipeline/plan_env.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pipeline {

VariableMerge::VariableMerge(const EnvMap& fixed)
{
    for (const auto& [name, value] : fixed)
        set(name, value);
    fixed_ = entries_.size();
}

void VariableMerge::set(const std::string& name, Text value)
{
    const auto [place, is_new] = index_.emplace(name, entries_.size());
    if (is_new)
        entries_.emplace_back(name, std::move(value));
    else if (place->second >= fixed_)
        entries_[place->second].second = std::move(value);
}

const Text* VariableMerge::find(const std::string& name) const
{
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &entries_[found->second].second;
}

namespace {

class EnvFileReader {
public:
    EnvFileReader(std::string_view text, EnvFileProblem& problem, EnvFileValues values)
        : text_(text), problem_(problem), values_(values)
    {
    }

    std::vector<EnvFileVariable> read()
    {
        std::vector<EnvFileVariable> result;
        while (at_ < text_.size() && problem_.line == 0)
            read_line(result);
        return result;
    }

private:
    void read_line(std::vector<EnvFileVariable>& result)
    {
        const auto start_line = line_;
        auto rest = trim(text_.substr(at_, line_end() - at_));
        if (rest.empty() || rest.front() == '#')
            return next_line();
        const bool raw = values_ == EnvFileValues::raw;
        if (rest.starts_with("export ") && !raw)
            rest = trim(rest.substr(7));
        const auto equals = rest.find_first_of(raw ? "=" : "=:");
        const auto name = trim(rest.substr(0, equals));
        const bool is_name = std::none_of(name.begin(), name.end(), [](char c) { return c == ' ' || c == '\t'; });
        if (name.empty() || !is_name || equals == std::string_view::npos)
            return refuse(start_line, "is not NAME=value");
        at_ = static_cast<std::size_t>(rest.data() - text_.data()) + equals + 1;
        if (raw) {
            auto value = text_.substr(at_, line_end() - at_);
            value.remove_suffix(value.ends_with('\r') ? 1 : 0);
            result.push_back({std::string(name), std::string(value), start_line});
            return next_line();
        }
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
            ++at_;
        const bool quoted = at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"');
        result.push_back({std::string(name), quoted ? read_quoted(start_line) : read_bare(), start_line});
        next_line();
    }

    std::string read_bare()
    {
        auto value = text_.substr(at_, line_end() - at_);
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (value[i] == '#' && (i == 0 || value[i - 1] == ' ' || value[i - 1] == '\t')) {
                value = value.substr(0, i);
                break;
            }
        }
        return std::string(trim(value));
    }

    std::string read_quoted(int start_line)
    {
        const char quote = text_[at_++];
        std::string value;
        while (at_ < text_.size() && text_[at_] != quote) {
            char c = text_[at_++];
            bool is_text = quote == '\'';
            line_ += c == '\n';
            if (quote == '"' && c == '\\' && at_ < text_.size()) {
                c = text_[at_++];
                constexpr std::string_view k_known = "nrt\"\\$", k_meant = "\n\r\t\"\\$";
                const auto known = k_known.find(c);
                if (known == std::string_view::npos)
                    value += '\\';
                else
                    c = k_meant[known];
                is_text = true;
            }
            value += c;
            if (values_ == EnvFileValues::templates && is_text && c == '$')
                value += '$';
        }
        if (at_ >= text_.size())
            refuse(start_line, "has a quote that is not closed");
        return value;
    }

    std::size_t line_end() const
    {
        const auto end = text_.find('\n', at_);
        return end == std::string_view::npos ? text_.size() : end;
    }

    void next_line()
    {
        at_ = std::min(line_end() + 1, text_.size());
        ++line_;
    }

    void refuse(int line, std::string message)
    {
        if (problem_.line == 0)
            problem_ = {line, std::move(message)};
        at_ = text_.size();
    }

    std::string_view text_;
    EnvFileProblem& problem_;
    EnvFileValues values_;
    std::size_t at_ = 0;
    int line_ = 1;
};

} // namespace

std::vector<EnvFileVariable> parse_env_file(std::string_view text, EnvFileProblem& problem, EnvFileValues values)
{
    if (text.starts_with("\xef\xbb\xbf"))
        text.remove_prefix(3);
    return EnvFileReader(text, problem, values).read();
}

EnvFile read_env_file(const ReadFile& read_file, const EnvFileEntry& entry)
{
    const auto& path = entry.path;
    EnvFile file;
    std::optional<std::string> text;
    try {
        text = read_file(path);
    } catch (const Error& error) {
        file.problem = {"missing-file", error.what(), error.hint()};
        return file;
    }
    if (!text && !entry.required)
        return file;
    if (!text) {
        file.problem = {"missing-file", fmt::format("there is no file '{}'", terminal_safe(path)), {}};
        return file;
    }
    EnvFileProblem problem;
    file.variables = parse_env_file(*text, problem, entry.raw ? EnvFileValues::raw : EnvFileValues::plain);
    if (problem.line > 0)
        file.problem = {"bad-file", fmt::format("{}:{} {}", terminal_safe(path), problem.line, problem.message), {}};
    return file;
}

} // namespace gantry::pipeline

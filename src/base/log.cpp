#include "base/log.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "base/utf8.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <chrono>
#include <mutex>
#include <utility>

#include <unistd.h>

namespace gantry {

namespace {

constexpr std::string_view k_names[] = {"error", "warn", "info", "debug", "trace"};
constexpr spdlog::level::level_enum k_levels[] = {spdlog::level::err, spdlog::level::warn, spdlog::level::info,
                                                  spdlog::level::debug, spdlog::level::trace};

LogLevel from_spdlog(spdlog::level::level_enum level)
{
    for (int i = 0; i < 5; ++i)
        if (k_levels[i] == level)
            return static_cast<LogLevel>(i);
    return LogLevel::error;
}

class WriterSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit WriterSink(LogWriter writer) : writer_(std::move(writer)) {}

private:
    void sink_it_(const spdlog::details::log_msg& message) override
    {
        writer_(from_spdlog(message.level), std::string_view(message.payload.data(), message.payload.size()));
    }
    void flush_() override {}

    LogWriter writer_;
};

// One write per line, so that lines of several processes do not mix.
void write_line(int descriptor, LogLevel level, std::string_view line)
{
    auto text = format_time(std::chrono::system_clock::now());
    text.append(" ").append(to_string(level)).append(" ").append(line).append("\n");
    [[maybe_unused]] const auto written = ::write(descriptor, text.data(), text.size());
}

bool needs_quotes(std::string_view value)
{
    if (value.empty())
        return true;
    for (const unsigned char c : value)
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return true;
    return false;
}

void append_value(std::string& line, std::string_view value)
{
    constexpr std::size_t k_longest = 8192;
    const bool is_cut = value.size() > k_longest;
    value = first_bytes(value, k_longest);
    const bool quoted = is_cut || needs_quotes(value);
    std::string escaped;
    for (const char c : value) {
        if (c == '\n')
            escaped += "\\n";
        else if (c == '"' || c == '\\')
            (escaped += '\\') += c;
        else
            escaped += c;
    }
    line += quoted ? "\"" : "";
    line += terminal_safe(escaped);
    line += is_cut ? "…" : "";
    line += quoted ? "\"" : "";
}

void append_field(std::string& line, std::string_view key, std::string_view value)
{
    line.append(" ").append(key).append("=");
    append_value(line, value);
}

} // namespace

struct Log::Output {
    explicit Output(LogWriter writer) : logger("gantry", std::make_shared<WriterSink>(std::move(writer))) {}

    spdlog::logger logger;
};

std::string_view to_string(LogLevel level)
{
    return k_names[static_cast<int>(level)];
}

std::optional<LogLevel> find_log_level(std::string_view name)
{
    for (int i = 0; i < 5; ++i)
        if (k_names[i] == name)
            return static_cast<LogLevel>(i);
    return std::nullopt;
}

Log Log::with(std::string_view key, std::string_view value) const
{
    auto copy = *this;
    if (copy.output_)
        append_field(copy.context_, key, value);
    return copy;
}

bool Log::enabled(LogLevel level) const
{
    return output_ && output_->logger.should_log(k_levels[static_cast<int>(level)]);
}

void Log::write(LogLevel level, std::string_view phrase, std::initializer_list<LogField> fields) const
{
    if (!enabled(level))
        return;
    auto line = terminal_safe(phrase);
    line += context_;
    for (const auto& field : fields)
        append_field(line, field.key, field.value);
    output_->logger.log(k_levels[static_cast<int>(level)], spdlog::string_view_t(line.data(), line.size()));
}

Log make_log(LogLevel level, LogWriter writer)
{
    Log log;
    log.output_ = std::make_shared<Log::Output>(std::move(writer));
    log.output_->logger.set_level(k_levels[static_cast<int>(level)]);
    return log;
}

Log make_fd_log(LogLevel level, int descriptor)
{
    return make_log(level, [descriptor](LogLevel of_line, std::string_view line) { write_line(descriptor, of_line, line); });
}

} // namespace gantry

#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gantry {

// error: an operator must act. warn: we coped, look later. info: a run, agent or cache changed its state. debug: each
// call to the outside. trace: what was sent and received. A failed pipeline is info.
enum class LogLevel { error, warn, info, debug, trace };

std::string_view to_string(LogLevel level);
std::optional<LogLevel> find_log_level(std::string_view name);

struct LogField {
    std::string_view key; // ours: [a-z0-9_]+
    std::string_view value;
};

// Receives each line that is not filtered out, without time, level and line end: "pull image run=12 image=alpine".
// Called by one thread at a time.
using LogWriter = std::function<void(LogLevel level, std::string_view line)>;

// The product's log: what Gantry itself does. The output of steps never goes here. A small value: pass it by reference,
// copy it to keep it. Every call is one line "phrase key=value …"; values are quoted where they need it, escaped, and cut
// after 8 KiB. Writing never throws: a log that cannot be written is lost. Threads may share a Log and its copies.
class Log {
public:
    // Writes nothing, at no cost.
    Log() = default;

    // The same log with a field that every line has from here on.
    Log with(std::string_view key, std::string_view value) const;

    bool enabled(LogLevel level) const;
    void write(LogLevel level, std::string_view phrase, std::initializer_list<LogField> fields = {}) const;

    void error(std::string_view phrase, std::initializer_list<LogField> fields = {}) const
    {
        write(LogLevel::error, phrase, fields);
    }
    void warn(std::string_view phrase, std::initializer_list<LogField> fields = {}) const
    {
        write(LogLevel::warn, phrase, fields);
    }
    void info(std::string_view phrase, std::initializer_list<LogField> fields = {}) const
    {
        write(LogLevel::info, phrase, fields);
    }
    void debug(std::string_view phrase, std::initializer_list<LogField> fields = {}) const
    {
        write(LogLevel::debug, phrase, fields);
    }
    void trace(std::string_view phrase, std::initializer_list<LogField> fields = {}) const
    {
        write(LogLevel::trace, phrase, fields);
    }

private:
    friend Log make_log(LogLevel level, LogWriter writer);

    struct Output;
    std::shared_ptr<Output> output_; // null: writes nothing
    std::string context_;            // " run=12 step=build"
};

// Lines up to `level`, each with its time and level in front: "2024-05-01T10:20:30.123Z info step finished step=build". The
// descriptor stays the caller's.
Log make_fd_log(LogLevel level, int descriptor);
Log make_log(LogLevel level, LogWriter writer);

} // namespace gantry

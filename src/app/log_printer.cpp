#include "app/log_printer.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <algorithm>

namespace gantry::app {

namespace {

constexpr std::size_t k_piece_bytes = 1 << 20;

} // namespace

void LogPrinter::begin_at_last(int lines)
{
    try {
        const auto size = store_.log_size(run_, step_);
        const auto tail = store_.tail_log(run_, step_, lines);
        offset_ = size - std::min<std::uint64_t>(size, tail.size());
    } catch (const Error& error) {
        if (error.code() != Errc::not_found)
            throw;
    }
}

void LogPrinter::print()
{
    try {
        if (format_.raw())
            print_raw();
        else
            print_lines();
    } catch (const Error& error) {
        if (error.code() != Errc::not_found)
            throw;
    }
}

void LogPrinter::print_raw()
{
    while (!output_.closed()) {
        const auto bytes = store_.read_log(run_, step_, offset_, k_piece_bytes);
        if (bytes.empty())
            return;
        offset_ += bytes.size();
        output_.write(bytes);
    }
}

void LogPrinter::print_lines()
{
    while (!output_.closed()) {
        const auto pieces = store_.read_log_pieces(run_, step_, offset_, k_piece_bytes);
        if (pieces.empty())
            return;
        for (const auto& piece : pieces) {
            offset_ += piece.bytes.size();
            if (cutter_.held().empty())
                line_time_ = piece.time;
            cutter_.feed(piece.bytes, [&](std::string_view line) {
                put(line, line_time_);
                line_time_ = piece.time;
            });
        }
        output_.write(gathered_);
        gathered_.clear();
    }
}

void LogPrinter::put(std::string_view line, std::chrono::system_clock::time_point time)
{
    if (format_.timestamps) {
        gathered_ += format_time(time);
        gathered_ += ' ';
    }
    gathered_ += format_.prefix;
    if (format_.safe)
        gathered_ += terminal_line(line, format_.colours);
    else
        gathered_ += line;
    gathered_ += '\n';
}

void LogPrinter::finish()
{
    cutter_.finish([this](std::string_view line) { put(line, line_time_); });
    output_.write(gathered_);
    gathered_.clear();
}

} // namespace gantry::app

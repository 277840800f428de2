#include "pipeline/diagnostic.hpp"

#include "base/utf8.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <tuple>

namespace gantry::pipeline {

static bool is_error(const Diagnostic& diagnostic) { return diagnostic.severity == Severity::error; }

bool has_errors(const Diagnostics& diagnostics) { return std::any_of(diagnostics.begin(), diagnostics.end(), is_error); }

void sort_by_position(Diagnostics& diagnostics)
{
    const auto is_before = [](const Diagnostic& a, const Diagnostic& b) {
        return std::tie(a.mark.file, a.mark.line, a.mark.column) < std::tie(b.mark.file, b.mark.line, b.mark.column);
    };
    // Thousands that one check found in turn are in order: a sort would move each of them many times.
    if (!std::is_sorted(diagnostics.begin(), diagnostics.end(), is_before))
        std::stable_sort(diagnostics.begin(), diagnostics.end(), is_before);
}

void keep_first(Diagnostics& diagnostics)
{
    if (diagnostics.size() <= k_max_diagnostics + 1)
        return;
    const auto rest = diagnostics.begin() + k_max_diagnostics;
    Diagnostic last;
    last.severity = std::any_of(rest, diagnostics.end(), is_error) ? Severity::error : Severity::warning;
    last.code = "limit";
    last.message = fmt::format("{} more problems, which are not shown", diagnostics.end() - rest);
    last.mark = rest->mark;
    diagnostics.erase(rest, diagnostics.end());
    diagnostics.push_back(std::move(last));
}

namespace {

using Json = nlohmann::ordered_json;

const SourceFile* source_of(const Diagnostic& diagnostic, const Sources& sources)
{
    const auto index = static_cast<std::size_t>(diagnostic.mark.file);
    return diagnostic.mark.file >= 0 && index < sources.size() ? &sources[index] : nullptr;
}

const char* name_of(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n'; }

// ---- SARIF

// RFC 3986: what may stand in a path stays, the rest is percent-encoded.
std::string uri_of(std::string_view path)
{
    constexpr std::string_view k_hex = "0123456789ABCDEF";
    std::string uri;
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (alphanumeric || std::string_view("-._~/").find(c) != std::string_view::npos)
            uri += c;
        else
            ((uri += '%') += k_hex[byte >> 4]) += k_hex[byte & 15];
    }
    return uri;
}

std::string_view line_of(std::string_view text, int number)
{
    std::size_t start = 0;
    for (int line = 1; line < number && start != std::string_view::npos; ++line) {
        const auto newline = text.find('\n', start);
        start = newline == std::string_view::npos ? newline : newline + 1;
    }
    return start == std::string_view::npos ? std::string_view() : text.substr(start, text.find('\n', start) - start);
}

// The column in code points, as SARIF's columnKind below says, of a column in bytes.
int code_point_column(std::string_view line, std::size_t byte_column)
{
    const auto before = line.substr(0, byte_column - 1);
    const auto starts = std::count_if(before.begin(), before.end(), [](char c) { return !continues_character(c); });
    return static_cast<int>(starts) + 1;
}

Json sarif_location(const Diagnostic& diagnostic, const Sources& sources)
{
    const auto* source = source_of(diagnostic, sources);
    Json place{{"artifactLocation", {{"uri", uri_of(source ? source->path : "")}, {"uriBaseId", "%SRCROOT%"}}}};
    if (diagnostic.mark.known()) {
        const auto line = line_of(source ? std::string_view(source->text) : std::string_view(), diagnostic.mark.line);
        const auto column = static_cast<std::size_t>(std::max(diagnostic.mark.column, 1));
        place["region"] = {{"startLine", diagnostic.mark.line},
                           {"startColumn", code_point_column(line, column)},
                           {"endColumn", code_point_column(line, column + std::max<std::size_t>(diagnostic.length, 1))}};
    }
    Json location{{"physicalLocation", std::move(place)}};
    if (!diagnostic.path.empty())
        location["logicalLocations"] = Json::array({Json{{"fullyQualifiedName", diagnostic.path}}});
    return location;
}

} // namespace

std::string render_json(const Diagnostics& diagnostics, const Sources& sources)
{
    Json list = Json::array();
    for (const auto& diagnostic : diagnostics) {
        const auto* source = source_of(diagnostic, sources);
        list.push_back({{"file", source ? source->path : ""},
                        {"line", diagnostic.mark.line},
                        {"column", diagnostic.mark.column},
                        {"length", diagnostic.length},
                        {"severity", name_of(diagnostic.severity)},
                        {"code", diagnostic.code},
                        {"message", diagnostic.message},
                        {"path", diagnostic.path},
                        {"hint", diagnostic.hint}});
    }
    return dump(list);
}

std::string render_sarif(const Diagnostics& diagnostics, const Sources& sources, std::string_view tool_version)
{
    std::set<std::string> codes;
    Json results = Json::array();
    for (const auto& diagnostic : diagnostics) {
        codes.insert(diagnostic.code);
        const auto hint = diagnostic.hint.empty() ? "" : " (" + diagnostic.hint + ")";
        results.push_back({{"ruleId", diagnostic.code},
                           {"level", name_of(diagnostic.severity)},
                           {"message", {{"text", diagnostic.message + hint}}},
                           {"locations", Json::array({sarif_location(diagnostic, sources)})}});
    }
    Json rules = Json::array();
    for (const auto& code : codes)
        rules.push_back({{"id", code}});
    const Json driver{{"name", "gantry"}, {"version", tool_version}, {"rules", std::move(rules)}};
    const Json run{{"tool", {{"driver", driver}}}, {"columnKind", "unicodeCodePoints"}, {"results", std::move(results)}};
    return dump({{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}});
}

} // namespace gantry::pipeline

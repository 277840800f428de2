#include "cache/artifact.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/utf8.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <set>

namespace gantry::cache {

namespace {

using Json = nlohmann::json;

constexpr int k_manifest_format = 1;
constexpr std::size_t k_longest_name = 255, k_longest_path = 4096, k_most_names = 200;

[[noreturn]] void refuse(const std::string& why) { throw Error(Errc::bad_input, "a list of artifacts: " + why); }

// JSON has no other bytes than UTF-8.
void put_bytes(Json& json, const std::string& key, const std::string& bytes)
{
    if (is_utf8(bytes))
        json[key] = bytes;
    else
        json[key + "_base64"] = base64_encode(bytes);
}

std::string bytes_in(const Json& json, const std::string& key)
{
    if (const auto plain = json.find(key); plain != json.end())
        return plain->get<std::string>();
    const auto decoded = base64_decode(json.at(key + "_base64").get<std::string>());
    if (!decoded)
        refuse(key + " is no base64");
    return *decoded;
}

std::optional<std::chrono::system_clock::time_point> time_in(const Json& json, const char* key)
{
    const auto found = json.find(key);
    if (found == json.end())
        return std::nullopt;
    const auto time = parse_time(found->get<std::string>());
    if (!time)
        refuse(std::string(key) + " is no time");
    return time;
}

const char* name_of(Artifact::Type type)
{
    switch (type) {
    case Artifact::Type::file: return "file";
    case Artifact::Type::folder: return "folder";
    case Artifact::Type::link: break;
    }
    return "link";
}

Artifact::Type type_of(const std::string& name)
{
    for (const auto type : {Artifact::Type::file, Artifact::Type::folder, Artifact::Type::link})
        if (name == name_of(type))
            return type;
    refuse("'" + terminal_safe(name) + "' is no type");
}

Json json_of(const Artifact& artifact)
{
    Json json{{"type", name_of(artifact.type)},
              {"mode", artifact.mode},
              {"mtime", {artifact.mtime, artifact.mtime_nanoseconds}}};
    put_bytes(json, "path", artifact.path);
    if (artifact.type == Artifact::Type::file) {
        json["size"] = artifact.size_bytes;
        json["sha256"] = artifact.digest;
    }
    if (artifact.type == Artifact::Type::link)
        put_bytes(json, "target", artifact.target);
    return json;
}

bool is_digest(const std::string& text)
{
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Artifact artifact_of(const Json& json)
{
    Artifact artifact;
    artifact.path = bytes_in(json, "path");
    artifact.type = type_of(json.at("type").get<std::string>());
    artifact.mode = json.at("mode").get<unsigned>();
    artifact.mtime = json.at("mtime").at(0).get<std::int64_t>();
    artifact.mtime_nanoseconds = json.at("mtime").at(1).get<std::uint32_t>();
    if (!is_artifact_path(artifact.path))
        refuse("'" + terminal_safe(artifact.path) + "' is no path that is kept");
    if (artifact.mode > 0777U || artifact.mtime_nanoseconds > 999'999'999U)
        refuse("'" + terminal_safe(artifact.path) + "' has a mode or a time that cannot be");
    if (artifact.type == Artifact::Type::file) {
        artifact.size_bytes = json.at("size").get<std::uint64_t>();
        artifact.digest = json.at("sha256").get<std::string>();
        if (!is_digest(artifact.digest))
            refuse("'" + terminal_safe(artifact.path) + "' has no digest");
    }
    if (artifact.type == Artifact::Type::link) {
        artifact.target = bytes_in(json, "target");
        if (!is_inside(artifact.path, artifact.target))
            refuse("the link '" + terminal_safe(artifact.path) + "' leads out");
    }
    return artifact;
}

// Nothing may lie behind a file or a link.
void check_places(const std::vector<Artifact>& artifacts)
{
    std::set<std::string> all, ends;
    for (const auto& artifact : artifacts) {
        if (!all.insert(artifact.path).second)
            refuse("'" + terminal_safe(artifact.path) + "' is there twice");
        if (artifact.type != Artifact::Type::folder)
            ends.insert(artifact.path);
    }
    for (const auto& artifact : artifacts)
        for (auto slash = artifact.path.find('/'); slash != std::string::npos;
             slash = artifact.path.find('/', slash + 1))
            if (ends.contains(artifact.path.substr(0, slash)))
                refuse("'" + terminal_safe(artifact.path) + "' lies behind a file or a link");
}

// The next line, without its end, taken off `text`.
std::string_view take_line(std::string_view& text)
{
    const auto end = text.find('\n');
    if (end == std::string_view::npos)
        refuse("it is cut off");
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

} // namespace

bool is_artifact_path(std::string_view path)
{
    if (path.empty() || path.size() > k_longest_path || path.find('\0') != std::string_view::npos)
        return false;
    std::size_t names = 0;
    while (true) {
        const auto slash = path.find('/');
        const auto name = path.substr(0, slash);
        if (name.empty() || name == "." || name == ".." || name.size() > k_longest_name || ++names > k_most_names)
            return false;
        if (slash == std::string_view::npos)
            return true;
        path.remove_prefix(slash + 1);
    }
}

bool is_inside(std::string_view path, std::string_view target)
{
    if (target.empty() || target.front() == '/' || target.size() > k_longest_path ||
        target.find('\0') != std::string_view::npos)
        return false;
    auto above = std::count(path.begin(), path.end(), '/');
    bool at_beginning = true;
    for (const auto& name : split(target, '/')) {
        if (name.empty() || name == ".")
            continue;
        if (name != "..")
            at_beginning = false;
        else if (!at_beginning || above-- == 0)
            return false;
    }
    return true;
}

ArtifactSum sum_of(const Manifest& manifest)
{
    ArtifactSum sum;
    for (const auto& artifact : manifest.artifacts) {
        sum.files += artifact.type == Artifact::Type::folder ? 0 : 1;
        sum.size_bytes += artifact.size_bytes;
    }
    return sum;
}

std::string print_manifest(const Manifest& manifest)
{
    const auto sum = sum_of(manifest);
    Json head{{"format", k_manifest_format},      {"run", manifest.run},
              {"stage", manifest.stage}, {"saved", format_time(manifest.saved)},
              {"files", sum.files},      {"bytes", sum.size_bytes}};
    if (manifest.expires)
        head["expires"] = format_time(*manifest.expires);
    auto text = head.dump() + '\n';
    for (const auto& artifact : manifest.artifacts)
        text += json_of(artifact).dump() + '\n';
    const Json end{{"sha256", sha256_hex(text)}};
    return text + end.dump() + '\n';
}

ManifestHead parse_manifest_head(std::string_view line)
{
    try {
        const auto json = Json::parse(line);
        if (json.at("format").get<int>() != k_manifest_format)
            throw Error(Errc::unsupported, "a list of artifacts: another version of gantry wrote it",
                        "use that version, or a later one");
        ManifestHead head;
        head.manifest.run = json.at("run").get<std::string>();
        head.manifest.stage = json.at("stage").get<std::string>();
        const auto saved = time_in(json, "saved");
        if (!saved)
            refuse("it does not tell when it was saved");
        head.manifest.saved = *saved;
        head.manifest.expires = time_in(json, "expires");
        head.sum = {json.at("files").get<std::uint64_t>(), json.at("bytes").get<std::uint64_t>()};
        return head;
    } catch (const Json::exception&) {
        refuse("its first line is none of ours");
    }
}

Manifest parse_manifest(std::string_view text)
{
    if (text.empty() || text.back() != '\n')
        refuse("it is cut off");
    const auto before_last = text.substr(0, text.size() - 1).rfind('\n');
    if (before_last == std::string_view::npos)
        refuse("it is cut off");
    auto body = text.substr(0, before_last + 1);
    try {
        if (Json::parse(text.substr(before_last + 1)).at("sha256").get<std::string>() != sha256_hex(body))
            refuse("it is not what was written");
        const auto head = parse_manifest_head(take_line(body));
        auto manifest = head.manifest;
        while (!body.empty())
            manifest.artifacts.push_back(artifact_of(Json::parse(take_line(body))));
        check_places(manifest.artifacts);
        if (sum_of(manifest) != head.sum)
            refuse("its first line tells of other files");
        return manifest;
    } catch (const Json::exception&) {
        refuse("a line is none of ours");
    }
}

ArtifactLimits artifact_limits_from_environment()
{
    ArtifactLimits limits;
    if (const char* text = std::getenv("GANTRY_ARTIFACTS_MAX"); text && *text) {
        const auto size = parse_size(text);
        if (!size)
            throw Error(Errc::bad_input, std::string("GANTRY_ARTIFACTS_MAX=") + terminal_safe(text) + " is not a size",
                        "write it as 500m or 20g");
        limits.size_bytes = *size;
    }
    if (const char* text = std::getenv("GANTRY_ARTIFACTS_MAX_FILES"); text && *text) {
        const std::string_view digits(text);
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), limits.files);
        if (read.ec != std::errc() || read.ptr != digits.data() + digits.size())
            throw Error(Errc::bad_input, "GANTRY_ARTIFACTS_MAX_FILES=" + terminal_safe(text) + " is not a number",
                        "write it as 200000");
    }
    return limits;
}

} // namespace gantry::cache

#include "pipeline/plan_fields.hpp"

#include "base/error.hpp"
#include "base/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <concepts>
#include <limits>
#include <unordered_set>
#include <utility>

namespace gantry::pipeline {

namespace {

using nlohmann::json;

// Where the reader is, as a JSON pointer (RFC 6901). Spelled out only when something is wrong.
class Place {
public:
    class Step {
    public:
        explicit Step(Place& place) : place_(place) {}
        ~Step() { place_.steps_.pop_back(); }
        Step(const Step&) = delete;

    private:
        Place& place_;
    };
    [[nodiscard]] Step in(std::string_view name)
    {
        steps_.push_back({name, 0});
        return Step(*this);
    }
    [[nodiscard]] Step in(std::size_t index)
    {
        steps_.push_back({{}, index});
        return Step(*this);
    }

    [[noreturn]] void refuse(const std::string& message) const
    {
        std::string pointer;
        for (const auto& [name, index] : steps_)
            pointer += "/" + (name.data() ? escaped(name) : std::to_string(index));
        throw Error(Errc::bad_input, fmt::format("plan: {}: {}", terminal_safe(pointer), message));
    }

private:
    static std::string escaped(std::string_view name)
    {
        std::string result;
        for (const char c : name)
            result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
        return result;
    }

    std::vector<std::pair<std::string_view, std::size_t>> steps_;
};

class JsonReader {
public:
    void read(const json& from, std::string& to)
    {
        if (from.is_string()) {
            to = from.get_ref<const std::string&>();
            return;
        }
        const auto* encoded = only_member(from, "base64");
        const auto bytes = encoded && encoded->is_string() ? base64_decode(encoded->get_ref<const std::string&>())
                                                           : std::nullopt;
        if (!bytes)
            place_.refuse("must be text");
        to = *bytes;
    }

    void read(const json& from, bool& to)
    {
        if (!from.is_boolean())
            place_.refuse("must be true or false");
        to = from.get<bool>();
    }

    void read(const json& from, double& to)
    {
        if (!from.is_number())
            place_.refuse("must be a number");
        to = from.get<double>();
    }

    template <std::integral I>
    void read(const json& from, I& to)
    {
        const bool fits = from.is_number_unsigned() ? std::in_range<I>(from.get<std::uint64_t>())
                                                    : from.is_number_integer() && std::in_range<I>(from.get<std::int64_t>());
        if (!fits)
            place_.refuse(fmt::format("must be a whole number from {} to {}", std::numeric_limits<I>::min(),
                                      std::numeric_limits<I>::max()));
        to = from.is_number_unsigned() ? static_cast<I>(from.get<std::uint64_t>())
                                       : static_cast<I>(from.get<std::int64_t>());
    }

    void read(const json& from, Duration& to)
    {
        const auto duration = from.is_string() ? parse_duration(from.get_ref<const std::string&>()) : std::nullopt;
        if (!duration)
            place_.refuse("must be a duration such as 1m30s");
        to = *duration;
    }

    template <typename E>
        requires std::is_enum_v<E>
    void read(const json& from, E& to)
    {
        const auto& names = k_enum_names<E>;
        const auto found = from.is_string()
                               ? std::find(names.begin(), names.end(), from.get_ref<const std::string&>())
                               : names.end();
        if (found == names.end())
            place_.refuse(fmt::format("must be one of {}", gantry::join({names.begin(), names.end()}, ", ")));
        to = static_cast<E>(found - names.begin());
    }

    void read(const json& from, Mark& to)
    {
        if (!from.is_array() || from.size() > 3 || from.size() == 1)
            place_.refuse("must be a position: [line, column]");
        std::array<int*, 3> parts = {&to.line, &to.column, &to.file};
        for (std::size_t i = 0; i < from.size(); ++i) {
            const auto step = place_.in(i);
            read(from[i], *parts[i]);
        }
    }

    void read(const json& from, Text& to)
    {
        const auto* parts = only_member(from, "template");
        if (!parts) {
            std::string literal;
            read(from, literal);
            to = Text(std::move(literal));
            return;
        }
        const auto step = place_.in("template");
        if (!parts->is_array())
            place_.refuse("must be a list");
        std::vector<Text::Part> result;
        for (std::size_t i = 0; i < parts->size(); ++i) {
            const auto inner = place_.in(i);
            result.push_back(read_part((*parts)[i]));
        }
        to = Text(std::move(result));
    }

    template <typename T>
    void read(const json& from, std::vector<T>& to)
    {
        if (!from.is_array())
            place_.refuse("must be a list");
        for (std::size_t i = 0; i < from.size(); ++i) {
            const auto step = place_.in(i);
            read(from[i], to.emplace_back());
        }
    }

    template <typename A, typename B>
    void read(const json& from, std::pair<A, B>& to)
    {
        need_object(from);
        for (const auto& [key, value] : from.items()) {
            const auto step = place_.in(key);
            if (key == "name")
                read(value, to.first);
            else if (key == "value")
                read(value, to.second);
            else
                place_.refuse("is not known here");
        }
        if (!from.contains("name"))
            place_.refuse("needs a name");
    }

    template <typename T>
    void read(const json& from, std::map<std::string, T>& to)
    {
        if (from.is_array()) {
            std::vector<std::pair<std::string, T>> pairs;
            read(from, pairs);
            to = std::map<std::string, T>(pairs.begin(), pairs.end());
            return;
        }
        need_object(from);
        for (const auto& [key, value] : from.items()) {
            const auto step = place_.in(key);
            read(value, to[key]);
        }
    }

    template <typename T>
    void read(const json& from, T& to);

    Place& place() { return place_; }

private:
    // The walker of one object: takes its members out one by one; what is left at the end is unknown.
    struct Members {
        JsonReader& reader;
        const json& from;
        std::size_t taken = 0;
        std::vector<std::string_view> names{};

        template <typename T>
        void operator()(const char* name, T& to)
        {
            names.emplace_back(name);
            const auto found = from.find(name);
            if (found == from.end())
                return;
            ++taken;
            const auto step = reader.place_.in(name);
            if constexpr (requires { to.has_value(); })
                reader.read(*found, to.emplace(typename T::value_type{})); // clang 14 takes no less of a nested class
            else
                reader.read(*found, to);
        }

        template <typename T>
        void operator()(const char* name, T& to, const T&)
        {
            (*this)(name, to);
        }
    };

    void need_object(const json& from) const
    {
        if (!from.is_object())
            place_.refuse("must be an object");
    }

    static const json* only_member(const json& from, const char* name)
    {
        if (!from.is_object() || from.size() != 1)
            return nullptr;
        const auto found = from.find(name);
        return found == from.end() ? nullptr : &*found;
    }

    Text::Part read_part(const json& from)
    {
        need_object(from);
        Text::Part part;
        part.is_expression = from.contains("expr");
        const char* key = part.is_expression ? "expr" : "text";
        const auto mark = from.find("mark");
        if (!from.contains(key) || from.size() != (mark == from.end() ? 1U : 2U))
            place_.refuse("must have either text or expr");
        const auto step = place_.in(key);
        read(from.at(key), part.text);
        if (mark != from.end())
            read(*mark, part.mark);
        if (part.is_expression && part.text.empty())
            place_.refuse("must not be empty");
        return part;
    }

    Place place_;
};

template <typename T> void JsonReader::read(const json& from, T& to)
{
    need_object(from);
    Members members{*this, from};
    fields(members, to);
    if constexpr (requires { to.id; })
        if (to.id.empty())
            place_.refuse("needs an id");
    if (members.taken == from.size())
        return;
    for (const auto& [key, value] : from.items()) {
        const auto step = place_.in(key);
        if (std::find(members.names.begin(), members.names.end(), key) == members.names.end())
            place_.refuse("is not known here");
    }
}

// What everybody who holds a plan may rely on.
void check_plan(const Plan& plan, Place& place)
{
    if (plan.version != 1) {
        const auto step = place.in("version");
        place.refuse(fmt::format("this program reads version 1, not {}", plan.version));
    }
    std::unordered_set<std::string_view> ids;
    const auto stages = place.in("stages");
    for (std::size_t i = 0; i < plan.stages.size(); ++i) {
        const auto& stage = plan.stages[i];
        const auto step = place.in(i);
        for (const auto& need : stage.needs)
            if (!ids.contains(need))
                place.refuse(fmt::format("needs '{}', which is no stage before it", terminal_safe(need)));
        if (!ids.insert(stage.id).second)
            place.refuse(fmt::format("the id '{}' is there twice", terminal_safe(stage.id)));
        std::unordered_set<std::string_view> steps;
        for (const auto& one : stage.steps)
            if (!steps.insert(one.id).second)
                place.refuse(fmt::format("the step '{}' is there twice", terminal_safe(one.id)));
    }
}

} // namespace

Plan plan_from_json(const nlohmann::json& json)
{
    Plan plan;
    JsonReader reader;
    reader.read(json, plan);
    check_plan(plan, reader.place());
    return plan;
}

} // namespace gantry::pipeline

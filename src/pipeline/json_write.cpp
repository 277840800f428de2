#include "pipeline/plan_fields.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"

#include <nlohmann/json.hpp>

namespace gantry::pipeline {

namespace {

using nlohmann::json;

// JSON is UTF-8 and nothing else (RFC 8259), while messages and names from outside may be any bytes.
json write(const std::string& text)
{
    if (is_utf8(text))
        return text;
    return json{{"base64", base64_encode(text)}};
}

json write(const Text& text)
{
    if (text.is_literal())
        return write(text.literal());
    auto parts = json::array();
    for (const auto& part : text.parts()) {
        parts.push_back({{part.is_expression ? "expr" : "text", write(part.text)}});
        if (part.is_expression && part.mark.known())
            parts.back()["mark"] = {part.mark.line, part.mark.column, part.mark.file};
    }
    return json{{"template", std::move(parts)}};
}

json write(const Mark& mark)
{
    if (!mark.known())
        return json::array();
    return mark.file == 0 ? json{mark.line, mark.column} : json{mark.line, mark.column, mark.file};
}

json write(bool value) { return value; }
json write(double value) { return value; }
json write(int value) { return value; }
json write(std::int64_t value) { return value; }
json write(std::uint64_t value) { return value; }
json write(std::uint32_t value) { return value; }
json write(Duration value) { return print_duration(value); }

template <typename E>
    requires std::is_enum_v<E>
json write(E value)
{
    return k_enum_names<E>.at(static_cast<std::size_t>(value));
}

template <typename T>
    requires std::is_class_v<T>
json write(const T& object);

template <typename T>
json write(const std::vector<T>& list);

template <typename A, typename B>
json write(const std::pair<A, B>& pair)
{
    return json{{"name", write(pair.first)}, {"value", write(pair.second)}};
}

template <typename T>
json write(const std::vector<T>& list)
{
    auto array = json::array();
    for (const auto& element : list)
        array.push_back(write(element));
    return array;
}

template <typename T>
json write(const std::map<std::string, T>& map)
{
    auto object = json::object();
    for (const auto& [key, value] : map) {
        if (!is_utf8(key)) // an object's key cannot hold it: pairs instead
            return write(std::vector<std::pair<std::string, T>>(map.begin(), map.end()));
        object[key] = write(value);
    }
    return object;
}

class Writer {
public:
    json result = json::object();

    template <typename T>
    void operator()(const char* name, const T& value)
    {
        (*this)(name, value, T{});
    }

    template <typename T>
    void operator()(const char* name, const std::optional<T>& value)
    {
        if (value)
            result[name] = write(*value);
    }

    template <typename T>
    void operator()(const char* name, const T& value, const T& fallback)
    {
        if (!(value == fallback))
            result[name] = write(value);
    }

    void operator()(const char* name, const Mark& mark)
    {
        if (mark.known())
            result[name] = write(mark);
    }
};

template <typename T>
    requires std::is_class_v<T>
json write(const T& object)
{
    Writer writer;
    fields(writer, object);
    return std::move(writer.result);
}

} // namespace

nlohmann::json to_json(const Plan& plan)
{
    return write(plan);
}

} // namespace gantry::pipeline

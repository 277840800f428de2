#pragma once

#include "pipeline/plan_fields.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace gantry::pipeline {

// Visits every Text below a part of a definition or plan, and measures the part on the way.
// `visit` is called as visit(text, walker); path() is then the dotted place ("environment.FOO").
template <typename Visit>
class TextWalker {
public:
    explicit TextWalker(Visit visit) : visit_(std::move(visit)) {}

    template <typename T>
    void operator()(const char* name, T& member)
    {
        if (is_nothing(member))
            return;
        places_.push_back({name, 0});
        walk(member);
        places_.pop_back();
    }
    template <typename T, typename D>
    void operator()(const char* name, T& member, const D&)
    {
        (*this)(name, member);
    }
    template <typename T>
    void whole(T& object)
    {
        walk(object);
    }

    std::string path() const
    {
        std::string result;
        for (const auto& [name, index] : places_) {
            if (!name.data())
                result += "[" + std::to_string(index) + "]";
            else
                result += (result.empty() ? "" : ".") + std::string(name);
        }
        return result;
    }
    // The key of the file that path() begins with.
    std::string_view key() const { return places_.empty() ? std::string_view() : places_.front().first; }

    // Roughly what the parts that were walked take in memory.
    std::size_t bytes = 0;

private:
    // Most members of most objects are.
    template <typename T>
    static bool is_nothing(const T& member)
    {
        if constexpr (requires { member.has_value(); })
            return !member.has_value();
        else if constexpr (requires { member.empty(); })
            return member.empty();
        else
            return std::is_arithmetic_v<T> || std::is_enum_v<T>;
    }

    template <Like<Text> T>
    void walk(T& text)
    {
        visit_(text, *this);
        for (const auto& part : text.parts())
            bytes += sizeof part + part.text.size();
    }

    template <Like<std::string> T>
    void walk(T& text)
    {
        bytes += text.size();
    }

    template <typename T>
        requires std::is_arithmetic_v<T> || std::is_enum_v<T> || Like<T, Duration> || Like<T, Mark>
    void walk(T&)
    {
    }

    template <typename T>
        requires requires(T& optional) { optional.has_value(); }
    void walk(T& optional)
    {
        if (optional)
            walk(*optional);
    }

    template <typename T>
        requires requires(T& pair) { pair.second; }
    void walk(T& pair)
    {
        places_.back() = {pair.first, 0};
        bytes += pair.first.size();
        walk(pair.second);
    }

    template <typename T>
        requires requires(T& list) { list.begin(); } && (!Like<T, std::string>)
    void walk(T& list)
    {
        std::size_t index = 0;
        places_.emplace_back();
        for (auto& element : list) {
            bytes += sizeof element;
            places_.back() = {{}, index++};
            walk(element);
        }
        places_.pop_back();
    }

    template <typename T>
        requires requires(TextWalker& self, T& object) { fields(self, object); }
    void walk(T& object)
    {
        fields(*this, object);
    }

    Visit visit_;
    std::vector<std::pair<std::string_view, std::size_t>> places_;
};

} // namespace gantry::pipeline

#pragma once

#include "pipeline/plan_fields.hpp"

#include <random>
#include <string>

namespace gantry::pipeline {

// Fills any part of a plan with values that a seed decides: a walker, see plan_fields.hpp.
class RandomFill {
public:
    explicit RandomFill(unsigned seed) : random_(seed) {}

    template <typename T>
    void operator()(const char*, T& member)
    {
        if (pick(2) == 0)
            fill(member);
    }
    template <typename T>
    void operator()(const char* name, T& member, const T&)
    {
        (*this)(name, member);
    }

    Plan plan()
    {
        Plan result;
        fields(*this, result);
        result.version = 1;
        result.stages.resize(static_cast<std::size_t>(pick(4)));
        for (auto& stage : result.stages) {
            fields(*this, stage);
            stage.id = "stage " + std::to_string(&stage - result.stages.data());
            stage.needs.clear();
            for (const auto& earlier : result.stages)
                if (&earlier < &stage && pick(2))
                    stage.needs.push_back(earlier.id);
            for (auto& step : stage.steps)
                step.id = "step/" + std::to_string(&step - stage.steps.data());
        }
        return result;
    }

private:
    int pick(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }

    void fill(bool& to) { to = pick(2) == 1; }
    void fill(double& to) { to = std::ldexp(pick(1000000), pick(60) - 30); }
    void fill(Duration& to) { to = std::chrono::milliseconds(pick(100'000'000)); }
    void fill(Mark& to) { to = {pick(2), pick(100), pick(100)}; }
    template <std::integral I>
    void fill(I& to)
    {
        std::uniform_int_distribution<std::uint64_t> any;
        to = static_cast<I>(any(random_) >> pick(64));
    }
    template <typename E>
        requires std::is_enum_v<E>
    void fill(E& to)
    {
        to = static_cast<E>(pick(static_cast<int>(k_enum_names<E>.size())));
    }

    void fill(std::string& to)
    {
        to.clear();
        for (int i = pick(8); i > 0; --i)
            to += pick(30) == 0 ? static_cast<char>(pick(256)) : "ab/~ \"\\${}:,\n"[pick(13)];
    }

    void fill(Text& to)
    {
        std::vector<Text::Part> parts;
        for (int i = pick(3); i >= 0; --i) {
            Text::Part part;
            fill(part.text);
            part.is_expression = pick(3) == 0 && !part.text.empty();
            parts.push_back(part);
        }
        to = Text(std::move(parts));
    }

    template <typename T>
    void fill(std::optional<T>& to)
    {
        fill(to.emplace(T{})); // clang 14 takes no less of a nested class
    }
    template <typename A, typename B>
    void fill(std::pair<A, B>& to)
    {
        fill(to.first);
        fill(to.second);
    }
    template <typename T>
    void fill(std::vector<T>& to)
    {
        to.resize(static_cast<std::size_t>(pick(3)));
        for (auto& element : to)
            fill(element);
    }
    template <typename T>
    void fill(std::map<std::string, T>& to)
    {
        to.clear();
        for (int i = pick(3); i > 0; --i) {
            std::string key;
            fill(key);
            fill(to[key]);
        }
    }
    template <typename T>
        requires std::is_class_v<T>
    void fill(T& to)
    {
        fields(*this, to);
    }

    std::mt19937 random_;
};

} // namespace gantry::pipeline

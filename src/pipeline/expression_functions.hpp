#pragma once

#include "pipeline/expression.hpp"

#include <cstddef>
#include <string_view>

namespace gantry::pipeline {

struct Function {
    std::string_view name;
    std::size_t min_arguments;
    std::size_t max_arguments;
    std::string_view usage; // "contains(text or list, part)"
    // Null: its value comes from the scope.
    Evaluated (*compute)(const List& arguments);
};

// The result of what cannot be computed.
Evaluated failed(std::string error);

// Null: there is none of this name.
const Function* find_function(std::string_view name);

// Equality as `==` and `in` have it: a number equals text that reads as the same number, true and false equal their
// names, null equals empty text; otherwise different types differ. Lists and objects compare element by element.
bool loosely_equal(const Value& left, const Value& right);

// A number, or text that is nothing but a number.
std::optional<double> as_number(const Value& value);

// "a list", for messages.
std::string_view type_name(const Value& value);

} // namespace gantry::pipeline

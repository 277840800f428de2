#pragma once

#include <string>
#include <string_view>

namespace gantry::pipeline::native {

// What to write instead of a key that other CI systems have at this place; empty when it is not one of those.
// `object` is the id of its table: "stage".
std::string habit_hint(std::string_view object, std::string_view key);

} // namespace gantry::pipeline::native

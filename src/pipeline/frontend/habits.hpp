#pragma once

#include "pipeline/frontend/reader.hpp"

#include <string>
#include <string_view>

namespace gantry::pipeline::native {

// What to write instead of an unknown key and its value, when other CI systems have them at this place; empty when they do not.
// `object` is the id of its table: "stage".
std::string habit_hint(std::string_view object, std::string_view key, const Node& value);

// The same for an object that is a text: GitLab's stages are names.
std::string habit_hint_for_text(std::string_view object);

// Compose's `$$NAME`, for a dollar sign, in a service of a pipeline: there a shell makes the number of its process of `$$`.
// Warns of the first in each value of `service` that may reach a shell.
void warn_of_doubled_dollars(Reader& reader, const Node& service);

} // namespace gantry::pipeline::native

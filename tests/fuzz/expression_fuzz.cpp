#include "pipeline/expression_tree.hpp"

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace gantry::pipeline;

// Any bytes parse or are refused with a place inside them; what parses prints to the same tree and can be evaluated.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    std::optional<SplitError> error;
    split_text(source, {0, 1, 1}, &error);
    const auto parsed = parse_expression(source);
    if (!parsed.expression) {
        GANTRY_ASSERT(parsed.offset <= size && !parsed.error.empty());
        return 0;
    }
    const auto printed = print_expression(*parsed.expression);
    const auto again = parse_expression(printed);
    // Brackets that printing adds may pass the limits on size and nesting.
    GANTRY_ASSERT(!again.expression || *again.expression == *parsed.expression);
    evaluate(*parsed.expression, {});
    simplify_condition(*parsed.expression, {}, nullptr);
    return 0;
}

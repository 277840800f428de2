#include "pipeline/native_support.hpp"
#include "pipeline/random_definition.hpp"

#include "support/catch.hpp"
#include "support/sanitized.hpp"

using namespace gantry::pipeline;

TEST_CASE("what is printed reads back as the same definition", "[pipeline][property]")
{
    for (std::uint32_t seed = 1; seed <= 400; seed += gantry::test::k_each_of) {
        CAPTURE(seed);
        const auto definition = RandomDefinition(seed).definition();
        const auto printed = print_native(definition);

        auto parsed = parse_text(printed);
        // Random services may say what Compose means by it.
        std::erase_if(parsed.diagnostics, [](const Diagnostic& problem) { return problem.message == "'$$' is not an escape here"; });

        REQUIRE(problems_of(parsed) == "");
        REQUIRE(print_native(parsed.definition) == printed);
        REQUIRE((parsed.definition == definition)); // too long to show; the texts above are equal
    }
}

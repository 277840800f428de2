#include "runner/dockerfile.hpp"
#include "support/catch.hpp"

using gantry::runner::instruction_lines;
using gantry::runner::line_of_arguments_alone;

TEST_CASE("instructions are found where they begin", "[dockerfile]")
{
    using Lines = std::vector<int>;
    CHECK(instruction_lines("").empty());
    CHECK(instruction_lines("FROM a\nRUN b\n") == Lines{1, 2});
    CHECK(instruction_lines("# a comment\n\n  FROM a\r\n\r\nRUN b") == Lines{3, 5});
    CHECK(instruction_lines("FROM a\nRUN b \\\n  && c \\\n  && d\nCMD e\n") == Lines{1, 2, 5});
    CHECK(instruction_lines("FROM a\nRUN b \\\n# told apart\n\n  c\nCMD e\n") == Lines{1, 2, 6});
    CHECK(instruction_lines("FROM a\nRUN b \\  \n c\nCMD e") == Lines{1, 2, 4});
    CHECK(instruction_lines("# escape=`\nFROM a\nRUN dir c:\\\nRUN b `\n c\nCMD e") == Lines{2, 3, 4, 6});
    CHECK(instruction_lines("# syntax=x\n# escape = `\nFROM a\nRUN b `\n c") == Lines{3, 4});
    CHECK(instruction_lines("# just words\n# escape=`\nFROM a\nRUN b `\nRUN c") == Lines{3, 4, 5}); // too late
    CHECK(instruction_lines("FROM a \\") == Lines{1});
}

TEST_CASE("a Dockerfile of arguments alone is found by its first line, and no other is", "[dockerfile]")
{
    CHECK(line_of_arguments_alone("ARG X\n") == 1);
    CHECK(line_of_arguments_alone("# escape=`\n\n  arg X=1\nArg Y `\n FROM a") == 3);
    for (const auto* other : {"", "# ARG\n", "FROM a", "ARG X\nFROM a", "ARG X\nfrom a", "ARG X\nRUN b", "ARGUMENT x", "RUN a"}) {
        INFO(other);
        CHECK_FALSE(line_of_arguments_alone(other));
    }
}

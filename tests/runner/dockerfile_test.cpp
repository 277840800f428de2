#include "runner/dockerfile.hpp"
#include "support/catch.hpp"

using gantry::runner::instruction_lines;

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

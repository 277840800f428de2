#include "pipeline/matrix.hpp"

#include "support/catch.hpp"

using namespace gantry::pipeline;

namespace {

std::vector<std::string> rows_of(const Matrix& matrix)
{
    Diagnostics problems;
    Scope scope;
    scope.find = [](const std::string& name) -> std::optional<Value> {
        return name == "branch" ? std::optional<Value>("main") : std::nullopt;
    };
    std::vector<std::string> result;
    for (const auto& row : matrix_rows(matrix, scope, "stages[0].matrix", problems)) {
        std::string text;
        for (const auto& [key, value] : row)
            text += (text.empty() ? "" : " ") + key + ":" + value;
        result.push_back(text);
    }
    for (const auto& problem : problems)
        result.push_back("! " + problem.message);
    return result;
}

Matrix two_by_two()
{
    Matrix matrix;
    matrix.axes = {{"fruit", {"apple", "pear"}}, {"animal", {"cat", "dog"}}};
    return matrix;
}

using Rows = std::vector<std::string>;

} // namespace

TEST_CASE("rows are all combinations, the last axis fastest", "[matrix]")
{
    CHECK(rows_of(two_by_two()) == Rows{"fruit:apple animal:cat", "fruit:apple animal:dog", "fruit:pear animal:cat",
                                        "fruit:pear animal:dog"});
}

TEST_CASE("exclude takes away rows that have all its pairs", "[matrix]")
{
    auto matrix = two_by_two();
    matrix.exclude = {{{"animal", "dog"}}, {{"fruit", "pear"}, {"animal", "dog"}}, {{"colour", "red"}}};

    CHECK(rows_of(matrix) == Rows{"fruit:apple animal:cat", "fruit:pear animal:cat"});
}

TEST_CASE("include adds to the rows that it fits, else makes a row", "[matrix]")
{
    // The example of GitHub's documentation of `include`.
    auto matrix = two_by_two();
    matrix.include = {
        {{"color", "green"}},
        {{"color", "pink"}, {"animal", "cat"}},
        {{"fruit", "apple"}, {"shape", "circle"}},
        {{"fruit", "banana"}},
        {{"fruit", "banana"}, {"animal", "cat"}},
    };

    CHECK(rows_of(matrix) == Rows{
                                 "fruit:apple animal:cat color:pink shape:circle",
                                 "fruit:apple animal:dog color:green shape:circle",
                                 "fruit:pear animal:cat color:pink",
                                 "fruit:pear animal:dog color:green",
                                 "fruit:banana",
                                 "fruit:banana animal:cat",
                             });
}

TEST_CASE("include alone makes the rows, and equal ones are kept once", "[matrix]")
{
    Matrix matrix;
    matrix.include = {{{"os", "deb"}, {"gcc", "12"}}, {{"os", "deb"}, {"gcc", "12"}}, {{"os", "arch"}}};

    CHECK(rows_of(matrix) == Rows{"os:deb gcc:12", "os:arch"});
}

TEST_CASE("values may be computed from what is known", "[matrix]")
{
    std::optional<SplitError> error;
    Matrix matrix;
    matrix.axes = {{"on", {split_text("${{ branch }}-x", {}, &error), "b"}}};
    CHECK(rows_of(matrix) == Rows{"on:main-x", "on:b"});

    matrix.axes = {{"on", {split_text("${{ steps.a.image }}", {}, &error)}}};
    CHECK(rows_of(matrix) == Rows{"! '${{ steps.a.image }}' is not known before the run"});
}

TEST_CASE("too many rows and none at all are problems", "[matrix]")
{
    std::vector<Text> many;
    for (int i = 0; i < 17; ++i)
        many.emplace_back(std::to_string(i));
    Matrix matrix;
    matrix.axes = {{"a", many}, {"b", many}};
    CHECK(rows_of(matrix) == Rows{"! the matrix has 289 rows; 256 are the limit"});
    for (int i = 0; i < 40; ++i)
        matrix.axes.push_back({"c" + std::to_string(i), many});
    CHECK(rows_of(matrix) == Rows{"! the matrix has more than 4096 rows; 256 are the limit"});

    matrix.axes = {{"a", many}};
    for (int i = 0; i < 64; ++i)
        matrix.axes.push_back({"c" + std::to_string(i), {"1"}});
    CHECK(rows_of(matrix) == Rows{"! the matrix has more than 64 keys"});

    matrix.axes = {{"a", {"1"}}};
    matrix.exclude = {{{"a", "1"}}};
    CHECK(rows_of(matrix) == Rows{"! the matrix has no rows"});
}

TEST_CASE("a row is called by its axes in their order", "[matrix]")
{
    auto matrix = two_by_two();

    CHECK(row_id(matrix, {{"animal", "cat"}, {"fruit", "pear"}, {"color", "red"}}) == "fruit=pear,animal=cat");
    CHECK(row_id(matrix, {{"fruit", "fig"}, {"color", "red"}}) == "fruit=fig,color=red");
    CHECK(row_ids(matrix, {{{"fruit", "fig"}, {"animal", "cat"}, {"n", "1"}}, {{"fruit", "fig"}, {"animal", "cat"}}}) ==
          Rows{"fruit=fig,animal=cat,n=1", "fruit=fig,animal=cat"});
}

TEST_CASE("rows have ids of their own, whatever their values look like", "[matrix]")
{
    const auto matrix = matrix_of({{"a", {"1", "1,b=2"}}, {"b", {"2", "2,b=2"}}});
    Diagnostics problems;
    const auto rows = matrix_rows(matrix, {}, "m", problems);
    CHECK(row_ids(matrix, rows) == std::vector<std::string>{"a=1,b=2", "a=1,b=2,b=2", "a=1,b=2,b=2#2", "a=1,b=2,b=2,b=2"});
}

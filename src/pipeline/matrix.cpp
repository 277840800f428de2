#include "pipeline/matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace gantry::pipeline {

namespace {

// Rows before `exclude`, which may take many away.
constexpr std::size_t k_max_product = 16 * k_max_rows;
// Of a row: an `include` can add some to every row.
constexpr std::size_t k_max_keys = 64;

constexpr const char* k_fewer_rows = "shorten an axis, 'exclude' some, or make it two stages";

void set_value(MatrixRow& row, const std::string& key, const std::string& value)
{
    for (auto& pair : row) {
        if (pair.first == key) {
            pair.second = value;
            return;
        }
    }
    row.emplace_back(key, value);
}

bool has_all(const MatrixRow& row, const MatrixRow& pairs)
{
    return std::all_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
        const auto* value = find_value(row, pair.first);
        return value && *value == pair.second;
    });
}

class Unroller {
public:
    Unroller(const Matrix& matrix, const Scope& scope, const std::string& path, Diagnostics& problems)
        : matrix_(matrix), scope_(scope), path_(path), problems_(problems)
    {
    }

    std::vector<MatrixRow> unroll()
    {
        if (!has_few_keys()) // before each row has all of them
            return refuse_size();
        if (!read_axes())
            return {};
        multiply();
        std::erase_if(rows_, [&](const MatrixRow& row) {
            return std::any_of(matrix_.exclude.begin(), matrix_.exclude.end(),
                               [&](const MatrixRow& pairs) { return !pairs.empty() && has_all(row, pairs); });
        });
        if (rows_.size() > k_max_rows || matrix_.include.size() > k_max_rows)
            return refuse_size();
        include();
        drop_copies();
        if (rows_.size() > k_max_rows)
            return refuse_size();
        if (rows_.empty())
            report("matrix-empty", "the matrix has no rows", {},
                   matrix_.exclude.empty() ? "give it an axis, such as version: [\"1\", \"2\"]" : "leave less out by 'exclude', or 'include' some");
        return std::move(rows_);
    }

private:
    void report(std::string code, std::string message, Mark mark = {}, std::string hint = {})
    {
        Diagnostic diagnostic;
        diagnostic.code = std::move(code);
        diagnostic.message = std::move(message);
        diagnostic.mark = mark.known() ? mark : matrix_.mark;
        diagnostic.path = path_;
        diagnostic.hint = std::move(hint);
        problems_.push_back(std::move(diagnostic));
    }

    std::vector<MatrixRow> refuse_size()
    {
        if (has_few_keys())
            report("matrix-too-large", fmt::format("the matrix has {} rows; {} are the limit",
                                                   std::max(rows_.size(), matrix_.include.size()), k_max_rows),
                   {}, k_fewer_rows);
        else
            report("matrix-too-large", fmt::format("the matrix has more than {} keys", k_max_keys));
        return {};
    }

    bool has_few_keys() const
    {
        std::set<std::string> keys;
        for (const auto& axis : matrix_.axes)
            keys.insert(axis.first);
        for (const auto& entry : matrix_.include)
            for (const auto& pair : entry)
                keys.insert(pair.first);
        return keys.size() <= k_max_keys;
    }

    bool read_axes()
    {
        bool fine = true;
        for (const auto& [name, texts] : matrix_.axes) {
            axes_.push_back({name, {}});
            for (const auto& text : texts)
                fine = read_value(text, axes_.back().second) && fine;
        }
        if (!fine)
            return false;
        std::size_t product = axes_.empty() ? 0 : 1;
        for (const auto& axis : axes_) {
            product *= axis.second.size();
            if (product > k_max_product) {
                report("matrix-too-large", fmt::format("the matrix has more than {} rows; {} are the limit",
                                                       k_max_product, k_max_rows),
                       {}, k_fewer_rows);
                return false;
            }
        }
        return true;
    }

    bool read_value(const Text& text, std::vector<std::string>& values)
    {
        std::optional<TextError> error;
        const auto resolved = resolve_at(text, scope_, &error);
        if (error)
            report("expression", error->message, error->mark, error->hint);
        else if (!resolved.is_literal())
            report("not-known-yet", fmt::format("'{}' is not known before the run", resolved.source()),
                   text.parts().front().mark, "a matrix is unrolled before anything runs");
        else
            values.push_back(resolved.literal());
        return !error && resolved.is_literal();
    }

    void multiply()
    {
        if (axes_.empty())
            return;
        rows_.emplace_back();
        for (const auto& [name, values] : axes_) {
            std::vector<MatrixRow> longer;
            longer.reserve(rows_.size() * values.size());
            for (const auto& row : rows_) {
                for (const auto& value : values) {
                    longer.push_back(row);
                    longer.back().emplace_back(name, value);
                }
            }
            rows_ = std::move(longer);
        }
    }

    // Whether the entry says nothing else than `row` about the axes.
    bool fits(const MatrixRow& row, const MatrixRow& entry) const
    {
        return std::all_of(axes_.begin(), axes_.end(), [&](const auto& axis) {
            const auto* wanted = find_value(entry, axis.first);
            const auto* value = find_value(row, axis.first);
            return !wanted || (value && *value == *wanted);
        });
    }

    void include()
    {
        const auto original = rows_.size();
        for (const auto& entry : matrix_.include) {
            bool added = false;
            for (std::size_t i = 0; i < original; ++i) {
                if (!fits(rows_[i], entry))
                    continue;
                added = true;
                for (const auto& [key, value] : entry)
                    set_value(rows_[i], key, value);
            }
            if (!added && !entry.empty())
                rows_.push_back(entry);
        }
    }

    void drop_copies()
    {
        std::set<MatrixRow> seen;
        std::erase_if(rows_, [&](const MatrixRow& row) { return !seen.insert(row).second; });
    }

    const Matrix& matrix_;
    const Scope& scope_;
    const std::string& path_;
    Diagnostics& problems_;
    std::vector<std::pair<std::string, std::vector<std::string>>> axes_;
    std::vector<MatrixRow> rows_;
};

std::string print_pairs(const MatrixRow& row)
{
    std::string result;
    for (const auto& [key, value] : row)
        result += (result.empty() ? "" : ",") + key + "=" + value;
    return result;
}

// The pairs of the axes in their order, then the others.
MatrixRow in_order(const Matrix& matrix, const MatrixRow& row, bool with_others)
{
    MatrixRow result;
    for (const auto& axis : matrix.axes)
        if (const auto* value = find_value(row, axis.first))
            result.emplace_back(axis.first, *value);
    const bool has_all_axes = !matrix.axes.empty() && result.size() == matrix.axes.size();
    if (!has_all_axes || with_others)
        for (const auto& pair : row)
            if (!find_value(result, pair.first))
                result.push_back(pair);
    return result;
}

} // namespace

const std::string* find_value(const MatrixRow& row, const std::string& key)
{
    const auto found = std::find_if(row.begin(), row.end(), [&](const auto& pair) { return pair.first == key; });
    return found == row.end() ? nullptr : &found->second;
}

std::vector<MatrixRow> matrix_rows(const Matrix& matrix, const Scope& scope, const std::string& path,
                                   Diagnostics& problems)
{
    return Unroller(matrix, scope, path, problems).unroll();
}

std::string row_id(const Matrix& matrix, const MatrixRow& row)
{
    return print_pairs(in_order(matrix, row, false));
}

std::vector<std::string> row_ids(const Matrix& matrix, const std::vector<MatrixRow>& rows)
{
    std::vector<std::string> ids;
    std::map<std::string, int> uses;
    for (const auto& row : rows) {
        ids.push_back(row_id(matrix, row));
        ++uses[ids.back()];
    }
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (uses[ids[i]] > 1)
            ids[i] = print_pairs(in_order(matrix, rows[i], true));
    // Values may have commas and equals signs in them.
    std::set<std::string> seen(ids.begin(), ids.end());
    if (seen.size() < ids.size()) {
        seen.clear();
        for (auto& id : ids) {
            const auto name = id;
            for (int n = 2; !seen.insert(id).second; ++n)
                id = fmt::format("{}#{}", name, n);
        }
    }
    return ids;
}

} // namespace gantry::pipeline

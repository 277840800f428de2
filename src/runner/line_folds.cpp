#include "runner/line_folds.hpp"

#include <algorithm>

namespace gantry::runner {

void LineFolds::add(std::string_view bytes, std::string& folded)
{
    std::size_t next_cr = 0, next_lf = 0;
    const auto find = [&](char c, std::size_t& known, std::size_t from) {
        if (known < from || from == 0)
            known = std::min(bytes.find(c, from), bytes.size());
        return known;
    };
    for (std::size_t at = 0; at < bytes.size();) {
        if (break_bytes_ != 0) {
            at += add_break(bytes.substr(at), folded);
            continue;
        }
        const std::size_t end = std::min(find('\n', next_lf, at), find('\r', next_cr, at));
        folded += bytes.substr(at, end - at);
        stream_end_ += end - at;
        folded_end_ += end - at;
        at = end;
        if (at < bytes.size()) {
            ++at;
            ++stream_end_;
            break_bytes_ = 1;
            folds_.push_back({folded_end_, stream_end_});
        }
    }
}

// How many bytes go on with the break that was begun.
std::size_t LineFolds::add_break(std::string_view bytes, std::string& folded)
{
    const std::size_t more = std::min(bytes.find_first_not_of("\r\n \t"), bytes.size());
    const bool was_fold = break_bytes_ <= k_longest_fold_bytes;
    break_bytes_ += more;
    stream_end_ += more;
    if (was_fold && break_bytes_ > k_longest_fold_bytes) {
        folded += '\n';
        ++folded_end_;
    }
    folds_.back() = {folded_end_, stream_end_};
    if (more < bytes.size())
        break_bytes_ = 0;
    return more;
}

const LineFolds::Fold& LineFolds::last_until(std::uint64_t folded) const
{
    const auto behind = std::upper_bound(folds_.begin(), folds_.end(), folded,
                                         [](std::uint64_t offset, const Fold& fold) { return offset < fold.folded; });
    return behind == folds_.begin() ? folds_.front() : *std::prev(behind);
}

std::uint64_t LineFolds::position(std::uint64_t folded) const
{
    const Fold& fold = last_until(folded);
    return fold.stream + folded - fold.folded;
}

std::uint64_t LineFolds::begin(std::uint64_t folded, std::size_t shortest) const
{
    const Fold& fold = last_until(folded + shortest - 1);
    return fold.folded > folded ? fold.stream : position(folded);
}

bool LineFolds::is_cut(std::uint64_t folded_begin, std::uint64_t folded_end) const
{
    return last_until(folded_end - 1).folded > folded_begin;
}

void LineFolds::forget(std::uint64_t folded)
{
    while (folds_.size() > 1 && folds_[1].folded <= folded)
        folds_.pop_front();
}

} // namespace gantry::runner

#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "runner/masker.hpp"
#include "runner/report.hpp"
#include "runner/store.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace gantry::runner {

// How long the output may be silent after the main process has ended, and how long it may still come: a process that was left
// behind can hold a stream open, and write to it.
inline constexpr std::chrono::seconds k_drain_limit{2}, k_longest_drain{300};

// The warning where more may have come.
inline constexpr const char* k_cut_words =
    "its output stayed open after its end, and what came later is not in its log: it may have left a process behind";

// Where the output of one attempt goes: masked, to disk first, then to those who watch.
class StepOutput final : public engine::OutputSink {
public:
    StepOutput(StepKey key, std::unique_ptr<RunWriter::Log> log, const MaskSet& masks, Clock& clock,
               const std::vector<RunObserver*>& observers, std::function<void()> on_activity);

    // Throws no_space when the disk is full.
    awaitable<void> write(engine::Stream stream, std::string_view bytes) override;
    // The same without a coroutine.
    void write_now(engine::Stream stream, std::string_view bytes);
    // Both streams have ended: writes what the maskers held back.
    void finish();
    // For when the main process has ended: until `is_drained` (which changes with `changed`), or k_drain_limit after the last
    // bytes, or k_longest_drain; `in_haste`: k_drain_limit in all. Only time in which the loop ran counts: while whoever watches
    // blocks it, nothing can be read.
    awaitable<void> wait_for_rest(Signal& changed, const std::function<bool()>& is_drained, const std::function<bool()>& in_haste);
    std::uint64_t size_bytes() const { return log_->size_bytes(); }

private:
    void emit(engine::Stream stream, std::string_view bytes);

    StepKey key_;
    std::unique_ptr<RunWriter::Log> log_;
    bool masking_;
    Masker out_masker_, err_masker_;
    std::string masked_; // kept between calls for its memory
    Clock& clock_;
    const std::vector<RunObserver*>& observers_;
    std::function<void()> on_activity_;
    std::uint64_t received_bytes_ = 0;
};

} // namespace gantry::runner

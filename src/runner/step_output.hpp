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

// How long output may still come after the main process has ended: a process that it left behind can hold a stream open.
inline constexpr std::chrono::seconds k_drain_limit{2};

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
};

} // namespace gantry::runner

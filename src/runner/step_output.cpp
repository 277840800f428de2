#include "runner/step_output.hpp"

namespace gantry::runner {

StepOutput::StepOutput(StepKey key, std::unique_ptr<RunWriter::Log> log, const MaskSet& masks, Clock& clock,
                       const std::vector<RunObserver*>& observers, std::function<void()> on_activity)
    : key_(std::move(key)), log_(std::move(log)), masking_(!masks.empty()), out_masker_(masks), err_masker_(masks),
      clock_(clock), observers_(observers), on_activity_(std::move(on_activity))
{
}

awaitable<void> StepOutput::write(engine::Stream stream, std::string_view bytes)
{
    write_now(stream, bytes);
    co_return;
}

void StepOutput::write_now(engine::Stream stream, std::string_view bytes)
{
    if (on_activity_)
        on_activity_();
    if (!masking_) {
        emit(stream, bytes);
        return;
    }
    masked_.clear();
    (stream == engine::Stream::out ? out_masker_ : err_masker_).feed(bytes, masked_);
    emit(stream, masked_);
}

void StepOutput::finish()
{
    for (const auto stream : {engine::Stream::out, engine::Stream::err}) {
        masked_.clear();
        (stream == engine::Stream::out ? out_masker_ : err_masker_).finish(masked_);
        emit(stream, masked_);
    }
}

void StepOutput::emit(engine::Stream stream, std::string_view bytes)
{
    if (bytes.empty())
        return;
    log_->write(stream, bytes, clock_.wall());
    for (auto* observer : observers_)
        observer->on_output(key_, stream, bytes);
}

} // namespace gantry::runner

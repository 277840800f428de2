#include "runner/step_output.hpp"

namespace gantry::runner {

namespace {

// The limits are counted in looks: however late the loop comes to one, what there is to read is read before the next.
constexpr std::chrono::milliseconds k_between_looks{500};

} // namespace

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
    received_bytes_ += bytes.size();
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

awaitable<void> StepOutput::wait_for_rest(Signal& changed, const std::function<bool()>& is_drained,
                                          const std::function<bool()>& in_haste)
{
    int silent = 0;
    for (int looks = 0; !is_drained() && silent < k_drain_limit / k_between_looks && looks < k_longest_drain / k_between_looks;
         ++looks) {
        const auto before = received_bytes_;
        auto news = changed.wait_until(is_drained);
        auto look = clock_.sleep_for(k_between_looks);
        co_await first_of(std::move(news), std::move(look));
        silent = received_bytes_ == before || in_haste() ? silent + 1 : 0;
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

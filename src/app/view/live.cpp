#include "app/view/views.hpp"

#include "app/view/end_text.hpp"
#include "app/view/frame.hpp"
#include "app/view/picture.hpp"
#include "base/columns.hpp"
#include "base/format.hpp"

#include <utility>

namespace gantry::app {

namespace {

// Redraws in place, a frame a tick.
class LiveView final : public View {
public:
    LiveView(const ViewOptions& options, const ViewWorld& world)
        : world_(world), style_{options.colours, options.unicode}, picture_(style_)
    {
    }

    ~LiveView() override
    {
        if (!frame_.empty())
            world_.out.write(Frame::k_show_cursor);
    }

    void begin(const pipeline::Plan& plan, const std::string&, const std::string& header) override
    {
        picture_.begin(plan);
        world_.out.write(style_.shown(fit(terminal_safe(header), world_.size().columns)) + "\n\n");
    }

    void on_event(const runner::RunEvent& event) override
    {
        notes_.add(event);
        picture_.on_event(event, world_.clock.now());
    }

    void on_output(const runner::StepKey& step, engine::Stream, std::string_view bytes) override { picture_.on_output(step, bytes); }
    void on_pull(const engine::PullProgress& progress) override { picture_.on_pull(progress); }
    void on_waiting(const std::string& what) override { picture_.on_waiting(what); }
    bool is_live() const override { return true; }

    void tick() override
    {
        const auto size = world_.size();
        const auto finished = picture_.take_finished(size.columns);
        auto lines = picture_.draw(size, world_.clock.now());
        for (auto& line : lines)
            line = style_.shown(std::move(line));
        if (finished.empty() && frame_.shows(lines, size.columns))
            return;
        world_.out.write(frame_.next(style_.shown(finished), lines, size.columns));
    }

    void end(const runner::RunSummary& summary, const Tail& tail) override
    {
        const auto columns = world_.size().columns;
        world_.out.write(frame_.next(style_.shown(picture_.take_finished(columns)), {}, columns));
        world_.out.write(style_.shown(render_end(summary, notes_, tail, style_)));
    }

private:
    ViewWorld world_;
    Style style_;
    Picture picture_;
    EndNotes notes_;
    Frame frame_;
};

} // namespace

std::unique_ptr<View> make_live_view(const ViewOptions& options, const ViewWorld& world)
{
    return std::make_unique<LiveView>(options, world);
}

} // namespace gantry::app

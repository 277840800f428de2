#include "app/view/views.hpp"

#include "app/view/columns.hpp"
#include "app/view/end_text.hpp"
#include "app/view/picture.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <utility>

namespace gantry::app {

namespace {

// CSI sequences of ECMA-48 (and DEC's for the cursor) that every terminal since the VT220 knows.
constexpr const char* k_hide_cursor = "\x1b[?25l";
constexpr const char* k_show_cursor = "\x1b[?25h";
constexpr const char* k_clear_to_line_end = "\x1b[K";
constexpr const char* k_clear_below = "\x1b[J";

// Redraws in place, a frame a tick. Each frame is one write; the cursor is hidden only within it, so that a killed process
// leaves the terminal as it should be.
class LiveView final : public View {
public:
    LiveView(const ViewOptions& options, const ViewWorld& world)
        : world_(world), style_{options.colours, options.unicode}, picture_(style_)
    {
    }

    ~LiveView() override
    {
        if (!widths_.empty())
            world_.out.write(k_show_cursor);
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
        if (finished.empty() && lines == lines_ && size.columns == columns_)
            return;
        world_.out.write(frame(finished, lines, size.columns));
    }

    void end(const runner::RunSummary& summary, const Tail& tail) override
    {
        const auto columns = world_.size().columns;
        world_.out.write(frame(picture_.take_finished(columns), {}, columns));
        world_.out.write(style_.shown(render_end(summary, notes_, tail, style_)));
    }

private:
    std::string frame(const std::string& finished, const std::vector<std::string>& lines, int columns)
    {
        auto text = k_hide_cursor + to_top(columns);
        const auto put = [&text](std::string_view line) {
            text += line;
            text += k_clear_to_line_end;
            text += '\n';
        };
        for (const auto& line : split(style_.shown(finished), '\n'))
            if (!line.empty())
                put(line);
        widths_.clear();
        for (const auto& line : lines) {
            put(line);
            widths_.push_back(columns_of(line));
        }
        lines_ = lines;
        columns_ = columns;
        return text + k_clear_below + k_show_cursor;
    }

    // To where the last frame's lines begin. A terminal that has become narrower has broken them.
    std::string to_top(int columns) const
    {
        int rows = 0;
        for (const int width : widths_)
            rows += columns < columns_ ? std::max((width + columns - 1) / columns, 1) : 1;
        return rows > 0 ? "\r\x1b[" + std::to_string(rows) + "A" : "\r";
    }

    ViewWorld world_;
    Style style_;
    Picture picture_;
    EndNotes notes_;
    std::vector<std::string> lines_; // of the last frame
    std::vector<int> widths_;        // of these
    int columns_ = 0;
};

} // namespace

std::unique_ptr<View> make_live_view(const ViewOptions& options, const ViewWorld& world)
{
    return std::make_unique<LiveView>(options, world);
}

} // namespace gantry::app

#include "app/view/views.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace gantry::app {

namespace {

// How many bytes at the end begin a UTF-8 character whose rest may be in the next piece.
std::size_t unfinished_bytes(std::string_view text)
{
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if (byte < 0x80)
            return 0;
        if (byte >= 0xc0) {
            const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
            return length > back ? back : 0;
        }
    }
    return 0;
}

// Events in the order in which they come, pieces of output between them.
class JsonView final : public View {
public:
    explicit JsonView(const ViewWorld& world) : world_(world), out_(world.out) {}
    ~JsonView() override { out_.flush(); }

    void begin(const pipeline::Plan&, const std::string& run_id, const std::string&) override { run_id_ = run_id; }

    void on_event(const runner::RunEvent& event) override
    {
        using Kind = runner::RunEvent::Kind;
        if (event.kind == Kind::step_finished || event.kind == Kind::step_retry)
            put_held(event.stage, event.step);
        auto json = to_json(event);
        if (event.kind == Kind::run_started)
            json["run"] = run_id_;
        put(json);
        tick();
    }

    void on_output(const runner::StepKey& step, engine::Stream stream, std::string_view bytes) override
    {
        // A character may be cut between two pieces: its beginning waits for the rest.
        auto& held = held_[{step.stage, step.step, stream}];
        std::string text = std::move(held.bytes);
        text += bytes;
        held = {step, text.substr(text.size() - unfinished_bytes(text))};
        text.resize(text.size() - held.bytes.size());
        put_output(step, stream, text);
        if (world_.clock.now() - flushed_ > k_flush_interval)
            tick();
    }

    void on_waiting(const std::string& what) override
    {
        put({{"time", format_time(world_.clock.wall())}, {"event", "waiting"}, {"message", what}});
        tick();
    }

    void tick() override
    {
        out_.flush();
        flushed_ = world_.clock.now();
    }

    bool is_live() const override { return true; }

    void end(const runner::RunSummary&, const Tail&) override
    {
        for (auto& [key, held] : held_)
            put_output(held.step, std::get<engine::Stream>(key), std::exchange(held.bytes, {}));
        out_.flush();
    }

private:
    void put(const nlohmann::json& json)
    {
        out_.buffer() += json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        out_.buffer() += '\n';
        out_.settle();
    }

    void put_output(const runner::StepKey& step, engine::Stream stream, const std::string& bytes)
    {
        if (bytes.empty())
            return;
        nlohmann::json json = {{"time", format_time(world_.clock.wall())}, {"event", "output"},
                     {"stage", step.stage},                      {"step", step.step},
                     {"attempt", step.attempt},                  {"stream", stream == engine::Stream::out ? "out" : "err"}};
        if (is_utf8(bytes))
            json["text"] = bytes;
        else
            json["base64"] = base64_encode(bytes);
        put(json);
    }

    void put_held(const std::string& stage, const std::string& step)
    {
        for (const auto stream : {engine::Stream::out, engine::Stream::err}) {
            const auto found = held_.find({stage, step, stream});
            if (found == held_.end())
                continue;
            put_output(found->second.step, stream, found->second.bytes);
            held_.erase(found);
        }
    }

    struct Held {
        runner::StepKey step;
        std::string bytes;
    };

    ViewWorld world_;
    BufferedOutput out_;
    std::string run_id_;
    std::map<std::tuple<std::string, std::string, engine::Stream>, Held> held_;
    Clock::time_point flushed_{};
};

} // namespace

std::unique_ptr<View> make_json_view(const ViewOptions&, const ViewWorld& world)
{
    return std::make_unique<JsonView>(world);
}

} // namespace gantry::app

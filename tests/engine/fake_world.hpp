#pragma once

#include "engine/fake/fake.hpp"
#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/run_to_end.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>

// One fake engine on one loop, and short words for what its tests do with it.

namespace gantry::engine {

inline Labels fake_labels()
{
    return {{"gantry.instance", "i1"}, {"gantry.run", "7"}, {"gantry.step", "build"}};
}

inline ContainerSpec container_spec(const std::string& name)
{
    ContainerSpec spec;
    spec.name = name;
    spec.image = "alpine";
    spec.labels = fake_labels();
    return spec;
}

inline FakeBehaviour endless()
{
    FakeBehaviour behaviour;
    behaviour.never_ends = true;
    return behaviour;
}

inline VolumeSpec volume_spec(const std::string& name)
{
    VolumeSpec spec;
    spec.name = name;
    spec.labels = fake_labels();
    return spec;
}

inline NetworkSpec network_spec(const std::string& name)
{
    NetworkSpec spec;
    spec.name = name;
    spec.labels = fake_labels();
    return spec;
}

class Collector final : public OutputSink {
public:
    awaitable<void> write(Stream stream, std::string_view bytes) override
    {
        (stream == Stream::out ? out : err) += bytes;
        co_return;
    }
    std::string out, err;
};

// A task beside the test, that can be cancelled and looked at.
struct Beside {
    asio::cancellation_signal cancel;
    bool ended = false;
    std::exception_ptr failure;
};

struct FakeWorld {
    asio::io_context io;
    test::ManualClock clock;
    FakeEngine engine{io.get_executor(), clock};

    template <typename T>
    T run(awaitable<T> task)
    {
        test::RunLimits limits;
        limits.patience = 0ms;
        limits.known = [this] { return engine.describe(); };
        return test::run_to_end(io, clock, std::move(task), limits);
    }

    // The code of the Error that comes out.
    template <typename T>
    Errc failure_of(awaitable<T> task)
    {
        try {
            run(std::move(task));
        } catch (const Error& error) {
            return error.code();
        }
        FAIL("nothing failed");
        return Errc::internal;
    }

    template <typename T>
    std::shared_ptr<Beside> beside(awaitable<T> task)
    {
        const auto state = std::make_shared<Beside>();
        asio::co_spawn(io, std::move(task),
                       asio::bind_cancellation_slot(state->cancel.slot(), [state](std::exception_ptr failure, auto&&...) {
                           state->ended = true;
                           state->failure = failure;
                       }));
        test::settle(io);
        return state;
    }

    void create(const std::string& name) { run(engine.create_container(container_spec(name))); }
    std::unique_ptr<Attachment> attach(const std::string& name) { return run(engine.attach(name, {})); }
    // Created, attached and started; the attachment stays open.
    std::unique_ptr<Attachment> start(const std::string& name)
    {
        create(name);
        auto attachment = attach(name);
        run(engine.start_container(name));
        return attachment;
    }
    void behave(FakeBehaviour behaviour)
    {
        engine.on_start([behaviour = std::move(behaviour)](const ContainerSpec&) { return behaviour; });
    }

    bool violated(const std::string& part) const
    {
        const auto& all = engine.violations();
        return std::any_of(all.begin(), all.end(),
                           [&part](const std::string& text) { return text.find(part) != std::string::npos; });
    }
};

} // namespace gantry::engine

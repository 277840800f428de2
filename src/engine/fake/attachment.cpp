#include "engine/fake/daemon.hpp"

#include "base/error.hpp"

namespace gantry::engine {

namespace {

// What an attachment and an exec have in common: the near ends of a pipe and an input.
class FakeStreams {
public:
    FakeStreams(std::shared_ptr<FakeDaemon> daemon, std::string name, std::shared_ptr<FakePipe> pipe,
                std::shared_ptr<FakeInput> input, bool open_stdin)
        : daemon_(std::move(daemon)), name_(std::move(name)), pipe_(std::move(pipe)), input_(std::move(input)),
          open_stdin_(open_stdin), epoch_(daemon_->epoch)
    {
    }

    awaitable<void> read_all(OutputSink& sink)
    {
        if (std::exchange(read_, true))
            daemon_->violate("read_all " + name_ + " twice");
        FakeDaemon::Call call = make_call("read_all", {});
        co_await daemon_->arrive(call);
        for (;;) {
            while (!pipe_->pieces.empty()) {
                const auto piece = std::move(pipe_->pieces.front());
                pipe_->pieces.pop_front();
                co_await sink.write(piece.first, piece.second);
            }
            daemon_->check_connection(call);
            if (pipe_->closed)
                break;
            co_await pipe_->changed.wait();
        }
        co_await daemon_->answer(call);
    }

    awaitable<void> write(std::string_view bytes)
    {
        if (!open_stdin_)
            daemon_->violate("write to " + name_ + ", which has no open_stdin");
        FakeDaemon::Call call = make_call("write", std::string(bytes));
        co_await daemon_->arrive(call);
        if (input_->closed)
            daemon_->violate("write to " + name_ + " after close_stdin");
        input_->write(bytes);
        co_await daemon_->answer(call);
    }

    awaitable<void> close_stdin()
    {
        if (!open_stdin_)
            daemon_->violate("close_stdin of " + name_ + ", which has no open_stdin");
        FakeDaemon::Call call = make_call("close_stdin", {});
        co_await daemon_->arrive(call);
        input_->close();
        co_await daemon_->answer(call);
    }

    awaitable<void> resize(int columns, int rows)
    {
        FakeDaemon::Call call = make_call("resize", std::to_string(columns) + "x" + std::to_string(rows));
        co_await daemon_->arrive(call);
        co_await daemon_->answer(call);
    }

    // The connection ends with us: the process sees the end of its input.
    void hang_up()
    {
        if (connected() && open_stdin_ && !input_->closed)
            input_->close();
    }
    bool connected() const { return epoch_ == daemon_->epoch && !daemon_->away; }

    FakeDaemon& daemon() { return *daemon_; }
    const std::string& name() const { return name_; }

private:
    // On the connection that was made in our epoch, not on a new one.
    FakeDaemon::Call make_call(std::string operation, std::string detail) const
    {
        if (!connected())
            throw Error(Errc::unavailable, "fake engine: the connection to " + name_ + " is broken");
        FakeDaemon::Call call;
        call.what = {std::move(operation), name_, std::move(detail)};
        return call;
    }

    std::shared_ptr<FakeDaemon> daemon_;
    std::string name_;
    std::shared_ptr<FakePipe> pipe_;
    std::shared_ptr<FakeInput> input_;
    bool open_stdin_;
    std::uint64_t epoch_;
    bool read_ = false;
};

class FakeAttachment final : public Attachment {
public:
    FakeAttachment(FakeStreams streams, FakeContainerPtr container)
        : streams_(std::move(streams)), container_(std::move(container)), pipe_(container_->pipe)
    {
    }
    ~FakeAttachment() override
    {
        streams_.hang_up();
        if (container_->pipe == pipe_)
            container_->attached = false;
    }

    awaitable<void> read_all(OutputSink& sink) override { return streams_.read_all(sink); }
    awaitable<void> write(std::string_view bytes) override { return streams_.write(bytes); }
    awaitable<void> close_stdin() override { return streams_.close_stdin(); }
    awaitable<void> resize(int columns, int rows) override { return streams_.resize(columns, rows); }

private:
    FakeStreams streams_;
    FakeContainerPtr container_;
    std::shared_ptr<FakePipe> pipe_; // tells us apart from a later attachment
};

class FakeExecSession final : public ExecSession {
public:
    FakeExecSession(FakeStreams streams, std::shared_ptr<FakeProcess> process)
        : streams_(std::move(streams)), process_(std::move(process))
    {
    }
    ~FakeExecSession() override { streams_.hang_up(); }

    awaitable<void> read_all(OutputSink& sink) override { return streams_.read_all(sink); }
    awaitable<void> write(std::string_view bytes) override { return streams_.write(bytes); }
    awaitable<void> close_stdin() override { return streams_.close_stdin(); }
    awaitable<void> resize(int columns, int rows) override { return streams_.resize(columns, rows); }

    awaitable<int> exit_code() override
    {
        auto& daemon = streams_.daemon();
        FakeDaemon::Call call;
        call.what = {"exit_code", streams_.name(), {}};
        co_await daemon.arrive(call);
        if (process_->running())
            daemon.violate("exit_code of an exec in " + streams_.name() + " before its streams have ended");
        co_await daemon.answer(call);
        co_return process_->exit_code();
    }

private:
    FakeStreams streams_;
    std::shared_ptr<FakeProcess> process_;
};

} // namespace

std::unique_ptr<Attachment> make_attachment(std::shared_ptr<FakeDaemon> daemon, FakeContainerPtr container)
{
    const auto& spec = container->spec;
    FakeStreams streams(std::move(daemon), spec.name, container->pipe, container->input, spec.open_stdin);
    return std::make_unique<FakeAttachment>(std::move(streams), container);
}

std::unique_ptr<ExecSession> start_exec(const std::shared_ptr<FakeDaemon>& daemon, const FakeContainerPtr& container,
                                        const ExecSpec& spec)
{
    if (!container->running())
        throw Error(Errc::conflict, "container " + container->spec.name + " is not running");
    FakeBehaviour behaviour;
    if (daemon->settings.on_exec)
        behaviour = daemon->settings.on_exec(container->spec.name, spec);
    else if (container->health == "starting" || container->health == "unhealthy")
        behaviour.exit_code = 1;
    if (!behaviour.start_error.empty())
        throw Error(Errc::bad_input, behaviour.start_error);

    FakeExec exec;
    exec.pipe = std::make_shared<FakePipe>();
    exec.input = std::make_shared<FakeInput>();
    exec.input->closed = !spec.open_stdin;
    FakeProcess::Setting setting{daemon->executor, &daemon->clock, exec.pipe, exec.input, spec.tty};
    exec.process = std::make_shared<FakeProcess>(std::move(setting), std::move(behaviour), [](int, bool) {});
    container->execs.push_back(exec);
    exec.process->begin();
    FakeStreams streams(daemon, container->spec.name, exec.pipe, exec.input, spec.open_stdin);
    return std::make_unique<FakeExecSession>(std::move(streams), exec.process);
}

} // namespace gantry::engine

#include "support/catch.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/scratch.hpp"
#include "runner/store.hpp"
#include "runner/store_layout.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gantry;
using namespace gantry::runner;
using namespace std::chrono_literals;
using engine::Stream;

namespace {

const std::chrono::system_clock::time_point k_noon(std::chrono::hours(475000));

pipeline::Plan small_plan()
{
    pipeline::PlanStep unit;
    unit.id = "unit";
    pipeline::PlanStage stage;
    stage.id = stage.name = "test";
    stage.steps = {unit};
    pipeline::Plan plan;
    plan.pipeline = "shop";
    plan.stages = {stage};
    return plan;
}

RunEvent event(RunEvent::Kind kind, State state = State::pending)
{
    RunEvent event;
    event.kind = kind;
    event.time = k_noon;
    event.state = state;
    return event;
}

std::unique_ptr<RunWriter> new_run(Store& store)
{
    return store.create_run(small_plan(), {.folder = "/src", .file = ".gantry.yml", .arguments = {"--jobs", "2"}});
}

void append_to(const std::string& path, const std::string& text)
{
    std::ofstream(path, std::ios::app) << text;
}

Errc code_of(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("no error");
    return Errc::internal;
}

// Runs `child` in another process and waits for it.
int in_child(const std::function<int()>& child)
{
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(child());
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

} // namespace

TEST_CASE("ids count from 1, newest first, and one that was removed is not given out again", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    CHECK(new_run(*store)->id() == "1");
    CHECK(new_run(*store)->id() == "2");
    CHECK(new_run(*store)->number() == 3);

    CHECK(store->run_ids() == std::vector<std::string>{"3", "2", "1"});
    CHECK(store->resolve_id("latest") == "3");
    store->hold_run("3")->remove();
    CHECK(store->run_ids() == std::vector<std::string>{"2", "1"});
    CHECK(new_run(*store)->id() == "4");
}

TEST_CASE("an unknown run is an error that names the latest", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    CHECK_THROWS_WITH(store->resolve_id("latest"), "there is no run latest");
    new_run(*store);
    for (const char* id : {"2", "0", "-1", "01", "", "1x", "../runs/1", "1/"}) {
        INFO(id);
        CHECK(code_of([&] { store->resolve_id(id); }) == Errc::not_found);
        CHECK(code_of([&] { store->events(id); }) == Errc::not_found);
    }
}

TEST_CASE("an installation keeps its id, and the state is private", "[store]")
{
    Scratch folder;
    const std::string root = folder.path() + "/a/b";
    const std::string instance = open_store(root)->instance();
    CHECK(instance.size() == 8);
    CHECK(open_store(root)->instance() == instance);
    struct stat info = {};
    REQUIRE(::stat(root.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE("what was written comes back: plan, meta, events", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    auto started = event(RunEvent::Kind::run_started);
    started.message = "shop \xff";
    started.outputs = {{"branch", "main"}};
    writer->append(started);
    writer->append(event(RunEvent::Kind::resumed));

    CHECK(store->meta("1").file == ".gantry.yml");
    CHECK(store->meta("1").arguments == std::vector<std::string>{"--jobs", "2"});
    CHECK(store->plan("1") == small_plan());
    REQUIRE(store->events("1").size() == 2);
    CHECK(store->events("1")[0].outputs.at("branch") == "main");
    CHECK(store->events("1")[1].kind == RunEvent::Kind::resumed);
}

TEST_CASE("a torn last line is not read, and the next writer cuts it off", "[store]")
{
    const std::string torn = GENERATE(as<std::string>(), "{\"event\":\"warn", "{\"event\":\"warn\n", std::string(5, '\0'), "x\n");
    Scratch folder;
    const auto store = open_store(folder.path());
    auto writer = new_run(*store);
    writer->append(event(RunEvent::Kind::run_started));
    const std::string journal = writer->folder() + "/journal.jsonl";
    writer.reset();
    append_to(journal, torn);

    CHECK(store->events("1").size() == 1);
    store->reopen_run("1")->append(event(RunEvent::Kind::resumed));
    REQUIRE(store->events("1").size() == 2);
    CHECK(store->events("1")[1].kind == RunEvent::Kind::resumed);
}

TEST_CASE("damage in the middle of a journal is told with its line", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    append_to(writer->folder() + "/journal.jsonl", "{}x\n{}\n");
    CHECK_THROWS_WITH(store->events("1"), ContainsSubstring("journal.jsonl is damaged at line 1"));
}

TEST_CASE("a run is interrupted when its writer is gone without run_finished", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    auto writer = new_run(*store);
    writer->append(event(RunEvent::Kind::run_started));
    CHECK(store->is_alive("1"));
    CHECK(store->owner("1") == ::getpid());
    CHECK(store->interrupted_runs().empty());
    CHECK(store->summary("1").state == State::running);

    writer.reset();

    CHECK_FALSE(store->is_alive("1"));
    CHECK_FALSE(store->owner("1"));
    CHECK(store->interrupted_runs() == std::vector<std::string>{"1"});
    const auto summary = store->summary("1");
    CHECK(summary.interrupted);
    CHECK(summary.state == State::error);
    CHECK(summary.cause == Cause::agent_lost);

    store->reopen_run("1")->append(event(RunEvent::Kind::run_finished, State::success));
    CHECK(store->interrupted_runs().empty());
    CHECK_FALSE(store->summary("1").interrupted);
    CHECK(store->summary("1").state == State::success);
}

TEST_CASE("a run whose journal cannot be read does not hide the others", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    for (int run = 0; run < 2; ++run)
        new_run(*store)->append(event(RunEvent::Kind::run_started));
    // As a newer gantry might have left it.
    append_to(folder.path() + "/runs/1/journal.jsonl", "{\"event\": \"teleported\"}\n{\"event\": \"run_finished\"}\n");
    CHECK(store->interrupted_runs() == std::vector<std::string>{"2", "1"});
}

TEST_CASE("a run whose owner was killed is interrupted at once", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    in_child([&] {
        new_run(*store).release()->append(event(RunEvent::Kind::run_started));
        ::raise(SIGKILL);
        return 0;
    });
    CHECK(store->interrupted_runs() == std::vector<std::string>{"1"});
}

TEST_CASE("a mark that outlived its run costs nothing but is dropped", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    new_run(*store)->append(event(RunEvent::Kind::run_finished, State::failure));
    append_to(folder.path() + "/active/1", "");
    append_to(folder.path() + "/active/7", ""); // died before its run appeared
    CHECK(store->interrupted_runs().empty());
    CHECK_FALSE(std::filesystem::exists(folder.path() + "/active/1"));
}

TEST_CASE("a run that has left something is listed from its end on, until it is set aside", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    auto writer = new_run(*store);
    writer->note_leftovers();
    CHECK(store->unclean_runs().empty());
    writer->append(event(RunEvent::Kind::run_finished, State::failure));
    writer.reset();
    CHECK(store->interrupted_runs().empty());
    CHECK(store->unclean_runs() == std::vector<std::string>{"1"});
    CHECK(open_store(folder.path())->unclean_runs() == std::vector<std::string>{"1"});

    store->set_aside("1");

    CHECK(store->unclean_runs().empty());
}

TEST_CASE("a run that lives or has ended cannot be taken over", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    CHECK_THROWS_WITH(store->reopen_run("1"), ContainsSubstring("still going on in process " + std::to_string(::getpid())));
    CHECK(code_of([&] { store->hold_run("1"); }) == Errc::conflict);
    new_run(*store)->append(event(RunEvent::Kind::run_finished, State::failure));
    CHECK_THROWS_WITH(store->reopen_run("2"), "run 2 has ended: failure");
}

TEST_CASE("a run that is held is taken over by nobody, and goes when it is removed", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    new_run(*store).reset();
    auto held = store->hold_run("1");
    CHECK(code_of([&] { store->reopen_run("1"); }) == Errc::conflict);
    CHECK(code_of([&] { store->hold_run("1"); }) == Errc::conflict);
    held.reset();
    CHECK(store->interrupted_runs() == std::vector<std::string>{"1"});

    store->hold_run("1")->remove();

    CHECK(store->run_ids().empty());
    CHECK(store->interrupted_runs().empty());
    CHECK(code_of([&] { store->hold_run("1"); }) == Errc::not_found);
}

TEST_CASE("a meta that a power loss left without its contents is none", "[store]")
{
    const std::string left = GENERATE(as<std::string>(), "", std::string(300, '\0'), "{\"folder\":", "3");
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    CHECK(find_meta(*store, "1")->file == ".gantry.yml");
    std::ofstream(writer->folder() + "/meta.json") << left;
    CHECK_FALSE(find_meta(*store, "1"));
    CHECK(code_of([&] { store->meta("1"); }) == Errc::internal);
    CHECK(code_of([&] { find_meta(*store, "2"); }) == Errc::not_found);
}

TEST_CASE("two processes that make runs at once get different ids, and no reader sees half a run", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    std::vector<pid_t> children;
    for (int child = 0; child < 4; ++child) {
        children.push_back(::fork());
        if (children.back() == 0) {
            const auto own = open_store(folder.path());
            for (int run = 0; run < 25; ++run)
                new_run(*own)->append(event(RunEvent::Kind::run_finished, State::success));
            ::_exit(0);
        }
    }
    int half = 0;
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (store->run_ids().size() < 100) {
        for (const auto& id : store->run_ids()) {
            const std::string path = folder.path() + "/runs/" + id;
            for (const char* file : {"/plan.json", "/meta.json", "/journal.jsonl", "/lock"})
                half += std::filesystem::exists(path + file) ? 0 : 1;
        }
        REQUIRE(std::chrono::steady_clock::now() < give_up);
    }
    for (const pid_t child : children)
        ::waitpid(child, nullptr, 0);
    CHECK(half == 0);
    CHECK(store->run_ids().size() == 100);
    CHECK(store->interrupted_runs().empty());
    CHECK(std::filesystem::is_empty(folder.path() + "/active"));
    CHECK(std::filesystem::is_empty(folder.path() + "/new"));
}

TEST_CASE("a log gives back its bytes from any offset, with stream and time", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    const StepKey step{"test", "unit", 1};
    const auto log = writer->open_log(step);
    log->write(Stream::out, "one\n", k_noon);
    log->write(Stream::out, "two\n", k_noon + 50ms);
    log->write(Stream::err, "bad\n", k_noon + 60ms);
    log->write(Stream::err, "", k_noon + 70ms);
    log->write(Stream::out, "end", k_noon + 1s);

    CHECK(log->size_bytes() == 15);
    CHECK(store->log_size("1", step) == 15);
    CHECK(store->read_log("1", step, 0, 100) == "one\ntwo\nbad\nend");
    CHECK(store->read_log("1", step, 5, 4) == "wo\nb");
    CHECK(store->read_log("1", step, 15, 4).empty());

    const auto all = store->read_log_pieces("1", step, 0, 100);
    REQUIRE(all.size() == 3);
    CHECK(all[0].bytes == "one\ntwo\n");
    CHECK(all[0].time == k_noon);
    CHECK(all[1].bytes == "bad\n");
    CHECK(all[1].stream == Stream::err);
    CHECK(all[1].offset == 8);
    CHECK(all[1].time == k_noon + 60ms);
    CHECK(all[2].bytes == "end");
    CHECK(all[2].stream == Stream::out);

    const auto middle = store->read_log_pieces("1", step, 10, 3);
    REQUIRE(middle.size() == 2);
    CHECK(middle[0].bytes == "d\n");
    CHECK(middle[0].offset == 10);
    CHECK(middle[1].bytes == "e");
}

TEST_CASE("attempt 0 is the last one, also of steps whose names look like attempts", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    for (const int attempt : {1, 2, 10})
        writer->open_log({"test", "a", attempt})->write(Stream::out, std::to_string(attempt), k_noon);
    writer->open_log({"test", "a.99", 1})->write(Stream::out, "other", k_noon);
    CHECK(store->read_log("1", {"test", "a", 0}, 0, 10) == "10");
    CHECK(store->read_log("1", {"test", "a", 2}, 0, 10) == "2");
    CHECK(store->read_log("1", {"test", "a.99", 0}, 0, 10) == "other");
    CHECK_THROWS_WITH(store->read_log("1", {"test", "b", 0}, 0, 10), "there is no log of test/b");
    CHECK(code_of([&] { store->read_log("1", {"test", "a", 3}, 0, 10); }) == Errc::not_found);
}

TEST_CASE("a taken-over log goes on where it was", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    const StepKey step{"test", "unit", 1};
    writer->open_log(step)->write(Stream::err, "first\n", k_noon);
    const auto log = writer->open_log(step);
    CHECK(log->size_bytes() == 6);
    log->write(Stream::out, "second\n", k_noon);
    const auto pieces = store->read_log_pieces("1", step, 0, 100);
    REQUIRE(pieces.size() == 2);
    CHECK(pieces[1].bytes == "second\n");
    CHECK(pieces[1].stream == Stream::out);
}

TEST_CASE("the tail of a log is its last lines, with or without a final line end", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    const StepKey step{"test", "unit", 1};
    const auto log = writer->open_log(step);
    CHECK(store->tail_log("1", step, 5).empty());
    log->write(Stream::out, "1\n2\n\n4", k_noon);
    CHECK(store->tail_log("1", step, 0).empty());
    CHECK(store->tail_log("1", step, 1) == "4");
    CHECK(store->tail_log("1", step, 3) == "2\n\n4");
    CHECK(store->tail_log("1", step, 9) == "1\n2\n\n4");
    log->write(Stream::out, "\n", k_noon);
    CHECK(store->tail_log("1", step, 2) == "\n4\n");

    std::string long_lines;
    for (int line = 0; line < 1000; ++line)
        long_lines += std::string(99, 'a' + line % 26) + "\n";
    log->write(Stream::out, long_lines, k_noon);
    CHECK(store->tail_log("1", step, 500) == long_lines.substr(500 * 100));
    log->write(Stream::out, std::string(3 << 20, 'x'), k_noon);
    CHECK(store->tail_log("1", step, 2).size() == 1 << 20);
}

TEST_CASE("a log's index grows with time and length, not with the number of writes", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    const auto writer = new_run(*store);
    const auto log = writer->open_log({"test", "unit", 1});
    for (int write = 0; write < 10000; ++write)
        log->write(Stream::out, std::string(100, 'x'), k_noon + std::chrono::microseconds(10 * write));
    const auto index = std::filesystem::file_size(writer->folder() + "/logs/test/unit.1.idx");
    CHECK(index / k_log_index_entry_bytes == 1 + 15); // 1 MB in pieces of 64 KiB within 0.1 s
}

TEST_CASE("names of stages and steps never leave the folder and never meet", "[store]")
{
    std::set<std::string> names;
    const std::vector<std::string> given = {"a", "A", "a/b", "a_b", "a b", "..", ".", "", "__", ".hidden", "test[gcc=13]",
                                            std::string(300, 'x'), std::string(301, 'x'), "ü", std::string("a\0b", 3), "a_b=1"};
    for (const auto& name : given) {
        const auto file = safe_file_name(name);
        INFO(name << " " << file);
        CHECK(file.find('/') == std::string::npos);
        CHECK(file.front() != '.');
        CHECK(file.size() < 200);
        names.insert(file);
    }
    CHECK(names.size() == given.size());
    CHECK(safe_file_name("compile-2.0_x") == "compile-2.0_x");
}

TEST_CASE("cancelling leaves the request and interrupts the owner alone", "[store]")
{
    Scratch folder;
    const auto store = open_store(folder.path());
    // The owner blocks until SIGINT is there, then says what it was asked for.
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const CancelRequest asked{GENERATE(false, true), "run 5 takes its place"};
    const pid_t owner = ::fork();
    if (owner == 0) {
        sigset_t interrupt;
        sigemptyset(&interrupt);
        sigaddset(&interrupt, SIGINT);
        ::sigprocmask(SIG_BLOCK, &interrupt, nullptr);
        const auto own = open_store(folder.path());
        const auto writer = new_run(*own);
        const bool early = writer->cancel_request().has_value();
        [[maybe_unused]] const auto written = ::write(ready[1], "x", 1);
        int signal = 0;
        ::sigwait(&interrupt, &signal);
        ::_exit(!early && writer->cancel_request() == asked ? 0 : 9);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    store->request_cancel("1", asked);
    int status = 0;
    ::waitpid(owner, &status, 0);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    ::close(ready[0]);
    ::close(ready[1]);

    CHECK_THROWS_WITH(store->request_cancel("1", asked), ContainsSubstring("was interrupted"));
    const auto again = store->reopen_run("1");
    CHECK_FALSE(again->cancel_request());
    again->append(event(RunEvent::Kind::run_finished, State::cancelled));
    CHECK_THROWS_WITH(store->request_cancel("1", asked), "run 1 has ended already");
}

TEST_CASE("a process that got the owner's number later is not signalled", "[store]")
{
    Scratch folder;
    const std::string path = folder.path() + "/lock";
    const auto lock = RunLock::take(path);
    REQUIRE(lock);
    std::ofstream(path) << ::getpid() << " 1\n"; // that many ticks after boot we were not there
    CHECK_FALSE(RunLock::interrupt_owner(path));
}

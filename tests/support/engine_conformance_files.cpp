#include "support/engine_conformance.hpp"

#include "engine/fake/tar.hpp"

// Archives into and out of containers.

namespace gantry::test {

using namespace engine;

namespace {

// In pieces of uneven sizes, as they come from a disk.
ReadPiece uneven_pieces_of(std::string archive)
{
    struct Source {
        std::string archive;
        std::size_t at = 0, piece = 1;
    };
    const auto source = std::make_shared<Source>();
    source->archive = std::move(archive);
    return [source]() -> awaitable<std::string> {
        auto piece = source->archive.substr(source->at, source->piece);
        source->at += piece.size();
        source->piece = source->piece * 3 + 1;
        co_return piece;
    };
}

awaitable<FakeFiles> fetch(EngineBench& bench, std::string container, std::string path)
{
    std::string archive;
    bool ended = false;
    WritePiece keep = [&archive, &ended](std::string_view piece) -> awaitable<void> {
        CHECK_FALSE(ended);
        ended = piece.empty();
        archive += piece;
        co_return;
    };
    co_await bench.engine().download(container, path, keep);
    CHECK(ended);
    co_return read_tar(archive);
}

ContainerSpec with_volume(EngineBench& bench, const std::string& what, const std::string& script,
                          const std::string& volume, const std::string& target)
{
    auto spec = bench.shell(what, script);
    Mount mount;
    mount.source = volume;
    mount.target = target;
    spec.mounts.push_back(mount);
    return spec;
}

awaitable<void> there_and_back(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("archive", scripts::k_endless);
    co_await engine.create_container(spec);
    const FakeFiles files{{"in/", ""},
                          {"in/big", std::string(300'000, 'x')},
                          {"in/empty", ""},
                          {"in/sub/", ""},
                          {"in/sub/bytes", std::string("\0\xff\n", 3)}};
    const auto archive = write_tar(files);

    co_await engine.upload(spec.name, "/", uneven_pieces_of(archive));
    const auto created = co_await fetch(bench, spec.name, "/in");
    CHECK((created == files));
    CHECK((co_await engine.follow_link(spec.name, "/in/big")).empty());

    const Engine::AttachOptions options;
    const auto attachment = co_await engine.attach(spec.name, options);
    co_await engine.start_container(spec.name);
    const auto more = write_tar({{"late", "L"}});
    co_await engine.upload(spec.name, "/in/sub", uneven_pieces_of(more));
    const auto running = co_await fetch(bench, spec.name, "/in/sub/late");
    CHECK((running == FakeFiles{{"late", "L"}}));

    co_await engine.kill_container(spec.name, "KILL");
    co_await engine.wait_container(spec.name);
    const auto exited = co_await fetch(bench, spec.name, "/in/sub");
    CHECK((exited == FakeFiles{{"sub/", ""}, {"sub/bytes", std::string("\0\xff\n", 3)}, {"sub/late", "L"}}));
}

// Makes a volume, and unpacks `files` at `to` of a container that has it at `target`. Gives the two.
awaitable<std::pair<VolumeSpec, ContainerSpec>> fill_volume(EngineBench& bench, std::string target, std::string to, FakeFiles files)
{
    auto& engine = bench.engine();
    const auto volume = bench.volume("files");
    co_await engine.create_volume(volume);
    const auto writer = with_volume(bench, "writer", scripts::k_nothing, volume.name, target);
    co_await engine.create_container(writer);
    const auto archive = write_tar(files);
    co_await engine.upload(writer.name, to, uneven_pieces_of(archive));
    co_return std::pair(volume, writer);
}

awaitable<void> through_a_volume(EngineBench& bench)
{
    auto& engine = bench.engine();
    FakeFiles files{{"hello", "hello"}};
    const auto [volume, writer] = co_await fill_volume(bench, "/out", "/out", std::move(files));

    const auto reader = with_volume(bench, "reader", scripts::k_read_file, volume.name, "/in");
    const auto ran = co_await whole_life(bench, reader);
    CHECK(ran.out == "hello");
    CHECK(ran.exit.exit_code == 0);
    co_await engine.create_container(reader);
    const auto seen = co_await fetch(bench, reader.name, "/in");
    CHECK((seen == FakeFiles{{"in/", ""}, {"in/hello", "hello"}}));
}

awaitable<void> from_above_a_volume(EngineBench& bench)
{
    FakeFiles sent{{"top/out/", ""}, {"top/out/hello", "hello"}, {"top/out/sub/", ""}, {"top/out/sub/x", "X"}};
    const FakeFiles files{{"out/", ""}, {"out/hello", "hello"}, {"out/sub/", ""}, {"out/sub/x", "X"}};
    const auto [volume, writer] = co_await fill_volume(bench, "/top/out", "/", std::move(sent));
    const auto seen = co_await fetch(bench, writer.name, "/top/out");
    CHECK((seen == files));
    const auto reader = with_volume(bench, "reader", scripts::k_read_file, volume.name, "/in");
    const auto ran = co_await whole_life(bench, reader);
    CHECK(ran.out == "hello");
}

awaitable<void> left_by_a_process(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("maker", scripts::k_leave_files);
    const auto running = co_await start(bench, spec);
    co_await engine.wait_container(spec.name);
    const auto folder = co_await fetch(bench, spec.name, "/data");
    REQUIRE(folder.contains("data/a"));
    CHECK(folder.at("data/a") == "A");
    CHECK(folder.at("data/sub/b") == "B");
    const auto file = co_await fetch(bench, spec.name, "/data/sub/b");
    CHECK((file == FakeFiles{{"b", "B"}}));
}

awaitable<void> missing_files(EngineBench& bench)
{
    auto& engine = bench.engine();
    const auto spec = bench.shell("empty", scripts::k_nothing);
    co_await engine.create_container(spec);
    const auto no_file = co_await failure_of(fetch(bench, spec.name, "/no/such/file"));
    CHECK(no_file == "not_found");
    const auto no_link = co_await failure_of(engine.follow_link(spec.name, "/no/such/link"));
    CHECK(no_link == "not_found");
    const auto no_container = co_await failure_of(fetch(bench, bench.unique_name("nobody"), "/tmp"));
    CHECK(no_container == "not_found");
}

} // namespace

std::vector<ConformanceCase> file_cases()
{
    return {
        {"what is uploaded comes back, before, while and after the container runs", there_and_back},
        {"files reach other containers through a volume", through_a_volume},
        {"an archive reaches a volume that lies below where it is unpacked", from_above_a_volume},
        {"what a process leaves can be downloaded when it has ended", left_by_a_process},
        {"a file or container that is missing is not found", missing_files},
    };
}

} // namespace gantry::test

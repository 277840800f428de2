#include "runner/stage_artifacts.hpp"

#include "base/format.hpp"
#include "runner/artifact_filter.hpp"
#include "runner/attempt.hpp"
#include "runner/carrier.hpp"
#include "runner/piece_pipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gantry::runner {

namespace {

constexpr const char* k_too_much_hint = "; keep less (paths, exclude), or raise GANTRY_ARTIFACTS_MAX or GANTRY_ARTIFACTS_MAX_FILES";
constexpr const char* k_full_hint = "free some space there, or set XDG_STATE_HOME to a bigger disk";
// What expires later never does: parse_time() reads nothing from here on.
constexpr std::chrono::system_clock::time_point k_end_of_time = std::chrono::sys_days(std::chrono::year(2262) / 1 / 1);
const std::string k_changed_layer = "/layer"; // where carriers have what a stage changed

std::vector<std::string> computed(const pipeline::Plan& plan, const pipeline::PlanStage& stage, const pipeline::RuntimeFacts& facts)
{
    const auto scope = make_scope(plan.event, stage, &facts);
    std::vector<std::string> paths;
    for (const auto& text : stage.artifacts->paths) {
        std::string error;
        const auto resolved = pipeline::resolve(text, scope, &error);
        if (error.empty() && !resolved.is_literal())
            error = "'" + terminal_safe(resolved.source()) + "' is not known when the stage ends";
        if (!error.empty())
            throw Error(Errc::bad_input, "artifacts: paths: " + error);
        paths.push_back(resolved.literal());
    }
    return paths;
}

bool is_time_to_keep(const pipeline::Artifacts& artifacts, State state)
{
    if (artifacts.when == "always")
        return true;
    if (artifacts.when == "on_failure")
        return state == State::failure || state == State::timed_out || state == State::error;
    return state == State::success;
}

// A stage's end has one line for all.
Outcome outcome_of(const Error& error)
{
    auto outcome = outcome_of_error(error, Cause::internal);
    outcome.message = "its artifacts cannot be kept: " + outcome.message;
    if (!outcome.hint.empty())
        outcome.message += "; " + outcome.hint;
    return outcome;
}

std::vector<std::string> folders_of(const std::string& place)
{
    std::vector<std::string> folders;
    for (auto slash = place.find('/'); slash != std::string::npos; slash = place.find('/', slash + 1))
        folders.push_back(place.substr(0, slash));
    return folders;
}

// Enough of an archive was read.
struct SeenEnough {};

// The first entry of an archive, and no more.
class HeadReader final : public TarSink {
public:
    void begin(const TarEntry& entry) override { first = entry; throw SeenEnough(); }
    void contents(std::string_view) override {}
    void end() override {}
    TarEntry first;
};

} // namespace

struct StageArtifacts::Work {
    const pipeline::PlanStage& stage;
    Ended ended;
    Result result;
    Owner owner;
    std::string carrier;     // with the workspace, and what the stage changed
    std::vector<std::string> paths;
    bool keeps = false, hands_on = false;
};

StageArtifacts::StageArtifacts(Parts parts) : parts_(std::move(parts)) {}

void StageArtifacts::warn(const Work& work, const std::string& what, const std::string& hint) const
{
    RunEvent event;
    event.kind = RunEvent::Kind::warning;
    event.message = work.stage.id + ": artifacts: " + what;
    event.hint = hint;
    parts_.tell(std::move(event), work.ended.stage);
}

template <typename Do>
awaitable<void> StageArtifacts::on_disk(Do work)
{
    try {
        co_await on_pool(parts_.pool, std::move(work));
    } catch (Error& error) {
        if (error.code() == Errc::no_space)
            throw std::move(error).with_hint(k_full_hint);
        throw;
    }
}

awaitable<StageArtifacts::Result> StageArtifacts::collect(Ended ended)
{
    const auto& stage = parts_.plan.stages[ended.stage];
    if (!stage.artifacts)
        co_return Result{};
    Work work{stage, std::move(ended), {}, parts_.owner_of(ended.stage), {}, {}, false, false};
    std::exception_ptr failure;
    try {
        co_await do_work(work);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && is_cancellation(failure))
        std::rethrow_exception(failure);
    if (failure)
        work.result.outcome = outcome_of(to_error(failure));
    auto& outcome = work.result.outcome;
    if (outcome.cause != Cause::ok)
        work.result.handed_on.reset();
    // What became of its steps counts for more.
    if (outcome.cause != Cause::ok && work.ended.state != State::success) {
        warn(work, outcome.message, "");
        outcome = {};
    }
    co_return std::move(work.result);
}

awaitable<void> StageArtifacts::do_work(Work& work)
{
    const auto& artifacts = *work.stage.artifacts;
    work.paths = computed(parts_.plan, work.stage, work.ended.facts);
    const bool is_due = is_time_to_keep(artifacts, work.ended.state);
    work.keeps = is_due && !work.paths.empty() && parts_.store;
    // What is kept of failures says nothing about what a stage that passed is to hand on.
    work.hands_on = !work.paths.empty() && artifacts.when != "on_failure" && work.ended.is_needed && work.ended.layer;
    const bool reads = !artifacts.reports.empty() && parts_.make_reports;
    if (!work.keeps && !work.hands_on && !reads)
        co_return;

    std::vector<engine::Mount> mounts{work.ended.workspace};
    if (work.ended.layer)
        mounts.push_back(volume_mount(work.ended.layer->volume, k_changed_layer));
    work.carrier = co_await make_carrier(work, "arts", std::move(mounts));
    if (work.keeps || reads)
        co_await keep(work);
    if (work.hands_on && work.result.outcome.cause == Cause::ok)
        co_await hand_on(work);
    co_await parts_.objects.remove(engine::ObjectKind::container, work.carrier);
}

awaitable<std::string> StageArtifacts::make_carrier(const Work& work, std::string role, std::vector<engine::Mount> mounts)
{
    const auto name = object_name(work.owner, role);
    parts_.objects.intend(engine::ObjectKind::container, name);
    auto labels = labels_of(work.owner);
    co_await create_carrier(parts_.engine, name, std::move(labels), std::move(mounts));
    co_return name;
}

// ---- keeping

// Reports are read of any stage that ran, also where nothing is kept.
awaitable<void> StageArtifacts::keep(Work& work)
{
    std::optional<ArtifactPatterns> patterns;
    std::optional<cache::ArtifactDraft> draft;
    auto places = report_places(work);
    const auto places_of_reports = places;
    if (work.keeps) {
        patterns.emplace(work.paths, work.stage.artifacts->exclude);
        places.merge(patterns->starts());
        auto begin = [this, &draft] { draft.emplace(parts_.store->begin()); };
        co_await on_disk(std::move(begin));
    }
    auto reports = places_of_reports.empty() ? nullptr : parts_.make_reports(work.ended.stage);
    ArtifactCollector collector(patterns ? &*patterns : nullptr, draft ? &*draft : nullptr, parts_.limits,
                                reports.get());
    const bool is_whole = co_await fits(work, collector, outermost(places));
    if (is_whole && work.keeps) {
        warn_of_rest(work, *patterns, collector);
        co_await publish(work, std::move(*draft), collector);
    }
    if (!is_whole && reports) { // what was read before it was too much is read again
        reports = parts_.make_reports(work.ended.stage);
        ArtifactCollector rest(nullptr, nullptr, parts_.limits, reports.get());
        co_await collect_all(work, rest, outermost(places_of_reports));
    }
    if (reports)
        co_await finish_reports(work, std::move(reports));
}

// False when it is more than may be kept: that is the stage's own doing.
awaitable<bool> StageArtifacts::fits(Work& work, ArtifactCollector& collector, std::set<std::string> starts)
{
    try {
        co_await collect_all(work, collector, std::move(starts));
    } catch (const Error&) {
        if (!collector.over_limit())
            throw;
        work.result.outcome.cause = Cause::failed;
        work.result.outcome.message = "its artifacts are too much: " + *collector.over_limit() + k_too_much_hint;
        co_return false;
    }
    co_return true;
}

std::set<std::string> StageArtifacts::report_places(const Work& work) const
{
    std::set<std::string> places;
    if (!parts_.make_reports)
        return places;
    for (const auto& [kind, patterns] : work.stage.artifacts->reports)
        try {
            places.merge(ArtifactPatterns(patterns, {}).starts());
        } catch (const Error& error) {
            warn(work, "report " + terminal_safe(kind) + ": " + error.what(), error.hint());
        }
    return places;
}

// Results of tests are no reason for a stage to fail.
awaitable<void> StageArtifacts::finish_reports(Work& work, std::unique_ptr<StageReports> reports)
{
    std::vector<RunEvent> events;
    std::optional<Error> failure;
    try {
        auto finish = [&reports, &events] { events = reports->finish(); };
        co_await on_disk(std::move(finish));
    } catch (const Error& error) {
        failure = error;
    }
    if (failure)
        warn(work, std::string("the results of reports were not kept: ") + failure->what(), failure->hint());
    for (auto& event : events)
        parts_.tell(std::move(event), work.ended.stage);
}

// Each archive in turn, and then what they had only as a further name of something that was not wanted.
awaitable<void> StageArtifacts::collect_all(Work& work, ArtifactCollector& collector, std::set<std::string> starts)
{
    while (!starts.empty()) {
        for (const auto& place : starts) {
            const auto above = co_await folders_above(work, k_workspace, place);
            if (!above)
                continue;
            collector.start(place);
            TarReader reader(collector);
            co_await read_place(work, k_workspace, place, reader);
        }
        const auto again = collector.take_again();
        starts = {again.begin(), again.end()};
    }
}

// Nothing where there is nothing.
awaitable<void> StageArtifacts::read_place(const Work& work, std::string folder, std::string place, TarReader& reader)
{
    const engine::WritePiece take = [this, &reader](std::string_view bytes) -> awaitable<void> {
        auto feed = [&reader, bytes] { reader.feed(bytes); };
        co_await on_disk(std::move(feed));
    };
    const auto path = place.empty() ? folder : folder + "/" + place;
    try {
        co_await parts_.engine.download(work.carrier, path, take);
    } catch (const Error& error) {
        if (error.code() == Errc::not_found)
            co_return;
        throw;
    }
    reader.finish();
}

// Those that hold `place`, as they are there; nothing when one of them is missing or is a link, which leads elsewhere.
awaitable<std::optional<std::vector<TarEntry>>> StageArtifacts::folders_above(const Work& work, std::string folder, std::string place)
{
    std::vector<TarEntry> above;
    for (const auto& path : folders_of(place)) {
        HeadReader head;
        TarReader reader(head);
        const engine::WritePiece take = [&reader](std::string_view bytes) -> awaitable<void> {
            reader.feed(bytes);
            co_return;
        };
        bool is_there = false;
        try {
            co_await parts_.engine.download(work.carrier, folder + "/" + path, take);
        } catch (const SeenEnough&) {
            is_there = head.first.type == TarEntry::Type::folder;
        } catch (const Error& error) {
            if (error.code() != Errc::not_found)
                throw;
        }
        if (!is_there)
            co_return std::nullopt;
        head.first.path = path;
        above.push_back(std::move(head.first));
    }
    co_return above;
}

awaitable<void> StageArtifacts::publish(Work& work, cache::ArtifactDraft draft, ArtifactCollector& collector)
{
    cache::Manifest manifest;
    manifest.run = work.owner.run;
    manifest.stage = work.stage.id;
    manifest.saved = std::chrono::time_point_cast<std::chrono::milliseconds>(parts_.clock.wall());
    if (const auto& expires = work.stage.artifacts->expire_in; expires && *expires < k_end_of_time - manifest.saved)
        manifest.expires = manifest.saved + std::chrono::duration_cast<std::chrono::milliseconds>(*expires);
    const auto sum = collector.sum();
    manifest.artifacts = collector.take_artifacts();
    std::uint64_t new_bytes = 0;
    auto put = [this, &draft, &manifest, &new_bytes] { new_bytes = parts_.store->publish(std::move(draft), manifest); };
    co_await on_disk(std::move(put));

    RunEvent event;
    event.kind = RunEvent::Kind::artifacts;
    event.outputs = {{"files", std::to_string(sum.files)}, {"bytes", std::to_string(sum.size_bytes)}, {"kept_bytes", std::to_string(new_bytes)}};
    if (manifest.expires)
        event.outputs["expires"] = format_time(*manifest.expires);
    parts_.tell(std::move(event), work.ended.stage);
}

void StageArtifacts::warn_of_rest(const Work& work, ArtifactPatterns& patterns, const ArtifactCollector& collector) const
{
    for (const auto& pattern : patterns.unused())
        warn(work, "nothing matches '" + terminal_safe(pattern) + "'", "paths are relative to the workspace; links above them are not followed");
    if (collector.left_out_count() == 0)
        return;
    auto told = join(collector.left_out(), ", ");
    if (collector.left_out_count() > collector.left_out().size())
        told += fmt::format(", and {} more", collector.left_out_count() - collector.left_out().size());
    warn(work, "left out " + told, "");
}

// ---- handing on

// From one carrier into another, through us: the engine keeps a container to itself while it packs it.
awaitable<void> StageArtifacts::hand_on(Work& work)
{
    engine::VolumeSpec spec;
    spec.name = object_name(work.owner, "part");
    spec.labels = labels_of(work.owner);
    parts_.objects.intend(engine::ObjectKind::volume, spec.name);
    const auto volume = co_await parts_.engine.create_volume(spec);
    std::vector<engine::Mount> mounts{volume_mount(spec.name, k_changed_layer)};
    const auto target = co_await make_carrier(work, "artsto", std::move(mounts));

    ArtifactPatterns patterns(work.paths, work.stage.artifacts->exclude);
    ArtifactFilter filter(patterns, k_changed_layer.substr(1));
    PiecePipe pipe(co_await asio::this_coro::executor, k_between_transfers_bytes);
    auto read_all = [&]() -> awaitable<void> {
        auto starts = patterns.starts();
        while (!starts.empty()) {
            for (const auto& place : starts) {
                auto above = co_await folders_above(work, k_changed_layer, place);
                if (!above)
                    continue;
                filter.start(place, std::move(*above));
                TarReader reader(filter);
                const engine::WritePiece take = [&](std::string_view bytes) -> awaitable<void> {
                    reader.feed(bytes);
                    auto made = filter.take_made();
                    co_await pipe.write(std::move(made));
                };
                const auto path = place.empty() ? k_changed_layer : k_changed_layer + "/" + place;
                try {
                    co_await parts_.engine.download(work.carrier, path, take);
                    reader.finish();
                } catch (const Error& error) {
                    if (error.code() != Errc::not_found)
                        throw;
                }
            }
            const auto again = filter.take_again();
            starts = {again.begin(), again.end()};
        }
        co_await pipe.write(tar_end());
        pipe.close();
    };
    const engine::ReadPiece read = [&pipe]() -> awaitable<std::string> { co_return co_await pipe.read(); };
    auto write_all = [&]() -> awaitable<void> { co_await parts_.engine.upload(target, "/", read); };
    co_await both(read_all(), write_all());
    co_await parts_.objects.remove(engine::ObjectKind::container, target);

    StageLayer layer = *work.ended.layer;
    layer.volume = spec.name;
    layer.path = volume.mountpoint;
    layer.is_part = true;
    work.result.handed_on = std::move(layer);
}

} // namespace gantry::runner

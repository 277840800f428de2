#include "cache/artifact_store.hpp"

#include "base/error.hpp"
#include "base/format.hpp"
#include "base/lock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <tuple>
#include <utility>

namespace gantry::cache {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_manifest_limit_bytes = std::size_t(1) << 30;
constexpr std::size_t k_head_limit_bytes = 1 << 16;
constexpr int k_manifest_lock_tries = 12'000, k_manifest_lock_pause_ms = 5;
// Up to this many files are brought to the disk one by one; beyond it, all that the file system has is.
constexpr std::uint64_t k_synced_one_by_one = 64;
const std::string k_manifest_suffix = ".jsonl";

std::vector<fs::path> entries_of(const std::string& folder)
{
    std::vector<fs::path> paths;
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(folder, missing))
        paths.push_back(entry.path());
    return paths;
}

// The kernel has no lock with a deadline.
Fd lock(const std::string& path, int how)
{
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file)
        throw errno_error(errno, path);
    for (int i = 0; i < k_manifest_lock_tries; ++i) {
        if (::flock(file.get(), how | LOCK_NB) == 0)
            return file;
        ::poll(nullptr, 0, k_manifest_lock_pause_ms);
    }
    throw Error(Errc::timed_out, path + ": somebody else has had it for 60 s", "see who, with fuser " + path);
}

std::optional<std::uint64_t> size_of(const std::string& path)
{
    struct ::stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode))
        return std::nullopt;
    return static_cast<std::uint64_t>(info.st_size);
}

// Runs are numbers; a folder of any other name is none of ours.
void check_run(const std::string& run)
{
    const auto is_plain = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; };
    if (run.empty() || run.size() > 64 || !std::all_of(run.begin(), run.end(), is_plain))
        throw Error(Errc::bad_input, "'" + terminal_safe(run) + "' is no run");
}

std::optional<StoredArtifacts> read_head(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    std::string line(k_head_limit_bytes, '\0');
    file.read(line.data(), static_cast<std::streamsize>(line.size()));
    line.resize(static_cast<std::size_t>(file.gcount()));
    const auto end = line.find('\n');
    if (end == std::string::npos)
        return std::nullopt;
    try {
        auto head = parse_manifest_head(std::string_view(line).substr(0, end));
        return StoredArtifacts{std::move(head.manifest), head.sum, path};
    } catch (const Error& error) {
        if (error.code() == Errc::bad_input)
            return std::nullopt;
        throw;
    }
}

bool is_before(const StoredArtifacts& a, const StoredArtifacts& b)
{
    const auto key = [](const StoredArtifacts& one) {
        return std::tuple(one.manifest.run.size(), one.manifest.run, one.manifest.saved, one.manifest.stage);
    };
    return key(a) < key(b);
}

void unlink_if_there(const std::string& path)
{
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        throw errno_error(errno, path);
}

} // namespace

// ---- drafts

ArtifactDraft::ArtifactDraft(std::string folder, Fd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}

ArtifactDraft::~ArtifactDraft()
{
    if (!lock_)
        return;
    file_.reset();
    std::error_code left_for_the_next; // who finds it without a lock
    fs::remove_all(folder_, left_for_the_next);
}

void ArtifactDraft::begin_file()
{
    const auto path = folder_ + "/part";
    file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file_)
        throw errno_error(errno, path);
    digest_ = std::make_unique<Sha256>();
}

void ArtifactDraft::add(std::string_view bytes)
{
    if (!file_)
        begin_file();
    write_all(file_, bytes, folder_);
    digest_->add(bytes);
}

std::string ArtifactDraft::end_file()
{
    if (!file_)
        begin_file();
    const auto digest = digest_->hex();
    if (digests_.insert(digest).second) {
        if (++files_ <= k_synced_one_by_one)
            sync_file(file_, folder_);
        if (::rename((folder_ + "/part").c_str(), (folder_ + "/" + digest).c_str()) != 0)
            throw errno_error(errno, folder_);
    }
    file_.reset();
    return digest;
}

void ArtifactDraft::drop_file() { file_.reset(); }

// ---- the store

ArtifactStore::ArtifactStore(std::string folder) : folder_(std::move(folder)) {}

std::string ArtifactStore::manifest_path(const std::string& run, const std::string& stage) const
{
    check_run(run);
    return folder_ + "/runs/" + run + "/" + sha256_hex(stage).substr(0, 32) + k_manifest_suffix;
}

std::string ArtifactStore::object_path(const std::string& digest) const
{
    return folder_ + "/objects/" + digest.substr(0, 2) + "/" + digest;
}

ArtifactDraft ArtifactStore::begin()
{
    make_directories(folder_ + "/new", 0700);
    // Whoever removes rubbish must not find it before it is locked.
    const auto shared = lock(folder_ + "/lock", LOCK_SH);
    const auto path = folder_ + "/new/" + random_hex(8);
    if (::mkdir(path.c_str(), 0700) != 0)
        throw errno_error(errno, path);
    Fd own = open_directory(path);
    if (!share_lock(own, path))
        throw Error(Errc::conflict, path + ": somebody else has locked it");
    return {path, std::move(own)};
}

// What is there already stays: it has the same contents, unless a crash of the machine cut it.
std::uint64_t ArtifactStore::move_in(const std::string& from, const std::string& digest) const
{
    const auto to = object_path(digest);
    const auto size = size_of(from);
    if (!size)
        throw Error(Errc::internal, from + ": it is gone");
    if (size_of(to) == size)
        return 0;
    make_directories(folder_ + "/objects/" + digest.substr(0, 2), 0700);
    if (::rename(from.c_str(), to.c_str()) != 0)
        throw errno_error(errno, to);
    return *size;
}

std::uint64_t ArtifactStore::publish(ArtifactDraft draft, const Manifest& manifest)
{
    const auto path = manifest_path(manifest.run, manifest.stage);
    if (draft.files_ > k_synced_one_by_one && ::syncfs(draft.lock_.get()) != 0)
        throw errno_error(errno, folder_);
    const auto shared = lock(folder_ + "/lock", LOCK_SH);
    std::uint64_t new_bytes = 0;
    for (const auto& digest : draft.digests_)
        new_bytes += move_in(draft.folder_ + "/" + digest, digest);
    make_directories(folder_ + "/runs/" + manifest.run, 0700);
    write_file_atomic(path, print_manifest(manifest), 0600);
    return new_bytes;
}

std::optional<Manifest> ArtifactStore::find(const std::string& run, const std::string& stage) const
{
    const auto path = manifest_path(run, stage);
    if (!size_of(path))
        return std::nullopt;
    try {
        auto manifest = parse_manifest(read_file(path, k_manifest_limit_bytes, Links::refuse));
        if (manifest.run == run && manifest.stage == stage)
            return manifest;
        throw Error(Errc::bad_input, "a list of artifacts: it is another stage's");
    } catch (Error& error) {
        if (error.code() == Errc::bad_input)
            ::rename(path.c_str(), (path + ".damaged").c_str());
        error.add_context(path);
        throw;
    }
}

void ArtifactStore::list_run(const std::string& folder, std::vector<StoredArtifacts>& into) const
{
    for (const auto& path : entries_of(folder))
        if (path.extension() == k_manifest_suffix)
            if (auto found = read_head(path.string()); found && found->manifest.run == path.parent_path().filename())
                into.push_back(std::move(*found));
}

std::vector<StoredArtifacts> ArtifactStore::list(const std::string& run) const
{
    check_run(run);
    std::vector<StoredArtifacts> found;
    list_run(folder_ + "/runs/" + run, found);
    std::sort(found.begin(), found.end(), is_before);
    return found;
}

std::vector<StoredArtifacts> ArtifactStore::list() const
{
    std::vector<StoredArtifacts> found;
    for (const auto& run : entries_of(folder_ + "/runs"))
        list_run(run.string(), found);
    std::sort(found.begin(), found.end(), is_before);
    return found;
}

Fd ArtifactStore::open(const Artifact& file) const
{
    const auto path = object_path(file.digest);
    Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!opened)
        throw errno_error(errno, path);
    return opened;
}

// ---- what goes

ArtifactSum ArtifactStore::usage() const
{
    ArtifactSum sum;
    for (const auto& folder : entries_of(folder_ + "/objects"))
        for (const auto& object : entries_of(folder.string()))
            if (const auto size = size_of(object.string())) {
                ++sum.files;
                sum.size_bytes += *size;
            }
    return sum;
}

// The contents that manifests other than these name. A damaged one names none: it can be read by nobody.
std::set<std::string> ArtifactStore::named_but(const std::set<std::string>& manifests) const
{
    std::set<std::string> digests;
    for (const auto& stored : list()) {
        if (manifests.contains(stored.path))
            continue;
        try {
            if (const auto manifest = find(stored.manifest.run, stored.manifest.stage))
                for (const auto& artifact : manifest->artifacts)
                    if (artifact.type == Artifact::Type::file)
                        digests.insert(artifact.digest);
        } catch (const Error& error) {
            if (error.code() != Errc::bad_input)
                throw;
        }
    }
    return digests;
}

// What died while it was written, and runs of which nothing is left but what was set aside.
void ArtifactStore::remove_rubbish() const
{
    for (const auto& path : entries_of(folder_ + "/new")) {
        if (!is_locked(path.string()))
            remove_tree(path.string());
    }
    for (const auto& run : entries_of(folder_ + "/runs")) {
        const auto files = entries_of(run.string());
        if (std::none_of(files.begin(), files.end(), [](const fs::path& file) { return file.extension() == k_manifest_suffix; }))
            remove_tree(run.string());
    }
}

ArtifactStore::Removed ArtifactStore::remove(const Goes& goes, Act act)
{
    return remove_by([&goes] { return goes; }, act);
}

ArtifactStore::Removed ArtifactStore::remove_by(const Rules& rules, Act act)
{
    Removed removed;
    if (!fs::exists(folder_))
        return removed;
    const auto alone = lock(folder_ + "/lock", LOCK_EX);
    const auto goes = rules();
    std::set<std::string> going;
    for (const auto& stored : list())
        if (goes(stored))
            going.insert(stored.path);
    removed.stages = going.size();
    const auto named = named_but(going);
    if (act == Act::remove) {
        // Manifests first: after a crash nothing names what is gone.
        for (const auto& path : going)
            unlink_if_there(path);
        remove_rubbish();
    }
    for (const auto& folder : entries_of(folder_ + "/objects"))
        for (const auto& object : entries_of(folder.string())) {
            if (named.contains(object.filename().string()))
                continue;
            ++removed.files;
            removed.size_bytes += size_of(object.string()).value_or(0);
            if (act == Act::remove)
                unlink_if_there(object.string());
        }
    return removed;
}

bool ArtifactStore::has_dead_drafts() const
{
    const auto drafts = entries_of(folder_ + "/new");
    return std::any_of(drafts.begin(), drafts.end(), [](const fs::path& path) { return !is_locked(path.string()); });
}

void ArtifactStore::tidy(const Rules& rules)
{
    const auto stored = list();
    if (has_dead_drafts() || std::any_of(stored.begin(), stored.end(), rules()))
        remove_by(rules, Act::remove);
}

ArtifactStore::Goes is_over(std::chrono::system_clock::time_point now, std::set<std::string> runs)
{
    return [now, runs = std::move(runs)](const StoredArtifacts& stored) {
        const auto& manifest = stored.manifest;
        return (manifest.expires && *manifest.expires <= now) || !runs.contains(manifest.run);
    };
}

} // namespace gantry::cache

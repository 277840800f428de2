#include "engine/fake/daemon.hpp"

// What a test sets and sees of the fake engine.

namespace gantry::engine {

std::string to_string(const FakeCall& call)
{
    return call.operation + (call.object.empty() ? "" : " " + call.object) +
           (call.detail.empty() ? "" : " " + call.detail);
}

FakeEngine::FakeEngine(asio::any_io_executor executor, Clock& clock)
    : daemon_(std::make_shared<FakeDaemon>(std::move(executor), clock))
{
}

FakeEngine::~FakeEngine()
{
    daemon_->shut_down();
}

void FakeEngine::on_start(std::function<FakeBehaviour(const ContainerSpec&)> decide)
{
    daemon_->settings.on_start = std::move(decide);
}

void FakeEngine::on_exec(std::function<FakeBehaviour(const std::string&, const ExecSpec&)> decide)
{
    daemon_->settings.on_exec = std::move(decide);
}

void FakeEngine::on_call(std::function<void(const FakeCall&)> hook)
{
    daemon_->settings.on_call = std::move(hook);
}

void FakeEngine::on_latency(std::function<std::chrono::nanoseconds(const FakeCall&)> latency)
{
    daemon_->settings.on_latency = std::move(latency);
}

void FakeEngine::only_images(std::vector<std::string> images)
{
    daemon_->settings.only_images = std::set<std::string>(images.begin(), images.end());
}

void FakeEngine::images_to_pull(std::vector<std::string> images)
{
    daemon_->settings.images_to_pull = std::set<std::string>(images.begin(), images.end());
}

void FakeEngine::provide(const Object& object)
{
    if (object.kind == ObjectKind::network) {
        FakeNetwork network;
        network.spec.name = object.name;
        network.spec.labels = object.labels;
        network.id = daemon_->new_id();
        daemon_->networks.emplace(object.name, std::move(network));
    } else {
        GANTRY_ASSERT(object.kind == ObjectKind::volume);
        FakeVolume volume;
        volume.spec.name = object.name;
        volume.spec.labels = object.labels;
        volume.id = object.name;
        daemon_->volumes.emplace(object.name, std::move(volume));
    }
}

void FakeEngine::on_build(std::function<FakeBuildBehaviour(const BuildSpec&, const std::string&)> decide)
{
    daemon_->settings.on_build = std::move(decide);
}

void FakeEngine::forget_uploads()
{
    daemon_->settings.keeps_uploads = false;
}

void FakeEngine::leave_out(std::vector<std::string> sentences)
{
    daemon_->settings.left_out = std::move(sentences);
}

void FakeEngine::require_labels(std::vector<std::string> keys)
{
    daemon_->settings.required_labels = std::move(keys);
}

void FakeEngine::go_away()
{
    daemon_->go_away();
}

void FakeEngine::come_back(bool containers_survive)
{
    daemon_->come_back(containers_survive);
}

const std::vector<FakeCall>& FakeEngine::calls() const
{
    return daemon_->calls;
}

const std::vector<std::string>& FakeEngine::violations() const
{
    return daemon_->violations;
}

const std::vector<FakeUpload>& FakeEngine::uploads() const
{
    return daemon_->uploads;
}

const std::vector<FakeBuild>& FakeEngine::builds() const
{
    return daemon_->builds;
}

std::vector<Object> FakeEngine::objects() const
{
    return daemon_->list({});
}

std::vector<std::string> FakeEngine::started() const
{
    return daemon_->started;
}

const ContainerSpec* FakeEngine::spec_of(const std::string& container) const
{
    const auto found = daemon_->ever.find(container);
    return found == daemon_->ever.end() ? nullptr : &found->second->spec;
}

std::map<std::string, std::string> FakeEngine::files_of(const std::string& volume) const
{
    const auto found = daemon_->volumes.find(volume);
    return found == daemon_->volumes.end() ? FakeFiles() : *found->second.files;
}

std::string FakeEngine::stdin_of(const std::string& container) const
{
    const auto found = daemon_->ever.find(container);
    return found == daemon_->ever.end() ? std::string() : found->second->input->bytes;
}

std::string FakeEngine::describe() const
{
    return daemon_->describe();
}

} // namespace gantry::engine

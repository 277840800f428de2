#include "runner/carrier.hpp"

#include "runner/holder_image.hpp"

namespace gantry::runner {

engine::Mount volume_mount(const std::string& volume, const std::string& target)
{
    engine::Mount mount;
    mount.type = engine::Mount::Type::volume;
    mount.source = volume;
    mount.target = target;
    mount.no_copy = true;
    return mount;
}

awaitable<void> create_carrier(engine::Engine& engine, std::string name, engine::Labels labels,
                               std::vector<engine::Mount> mounts)
{
    const auto image = co_await holder_image(engine);
    if (!image)
        throw Error(Errc::unsupported, "this processor has no helper image");
    engine::ContainerSpec spec;
    spec.name = std::move(name);
    spec.labels = std::move(labels);
    spec.image = *image;
    spec.mounts = std::move(mounts);
    spec.init = false;
    (void)co_await engine.create_container(spec);
}

} // namespace gantry::runner

#pragma once

#include <string>

namespace gantry::engine::docker {

// An image's name, taken apart by the grammar of the distribution project (reference.go's comment; OCI distribution
// specification 1.1, "Pulling manifests").
struct Reference {
    std::string registry;   // "docker.io", "localhost:5000"
    std::string repository; // "library/busybox"
    std::string tag;        // "latest" if neither tag nor digest is given
    std::string digest;     // "sha256:…"

    std::string name() const { return registry + "/" + repository; }
    friend bool operator==(const Reference&, const Reference&) = default;
};

// Throws bad_input that names what is wrong.
Reference parse_reference(const std::string& image);

} // namespace gantry::engine::docker

#pragma once

#include <string>

namespace gantry {

// An image's name, taken apart by the grammar of the distribution project (reference.go's comment; OCI distribution
// specification 1.1, "Pulling manifests").
struct ImageReference {
    std::string registry;   // "docker.io", "localhost:5000"
    std::string repository; // "library/busybox"
    std::string tag;        // "latest" if neither tag nor digest is given
    std::string digest;     // "sha256:…"

    std::string name() const { return registry + "/" + repository; }
    friend bool operator==(const ImageReference&, const ImageReference&) = default;
};

// Throws bad_input that names what is wrong.
ImageReference parse_image_reference(const std::string& image);

// "busybox:1" of "docker.io/library/busybox:1", "me/app" of "docker.io/me/app": as Docker shows it. Anything else stays as it is.
std::string familiar_name(const std::string& image);

// One spelling for all that name the same image: "docker.io/library/busybox:latest" of "busybox". What is no image stays as it is.
std::string full_name(const std::string& image);

} // namespace gantry

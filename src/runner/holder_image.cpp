#include "runner/holder_image.hpp"

#include "base/sha256.hpp"
#include "runner/tar.hpp"

#include <cstdint>
#include <initializer_list>

namespace gantry::runner {

namespace {

void append_bytes(std::string& out, std::uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; ++i)
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

// A minimal ELF64 executable (System V ABI): one header, one loadable segment, the code.
std::string elf_of(std::uint16_t machine, std::initializer_list<std::uint8_t> code)
{
    constexpr std::uint64_t k_base = 0x400000, k_headers = 64 + 56;
    std::string elf("\x7f" "ELF\x02\x01\x01", 7); // 64 bit, little endian, version 1
    elf.resize(16, '\0');
    append_bytes(elf, 2, 2);                  // ET_EXEC
    append_bytes(elf, machine, 2);
    append_bytes(elf, 1, 4);
    append_bytes(elf, k_base + k_headers, 8); // entry
    append_bytes(elf, 64, 8);                 // program header
    append_bytes(elf, 0, 8);                  // no section header
    append_bytes(elf, 0, 4);
    append_bytes(elf, 64, 2);
    append_bytes(elf, 56, 2);
    append_bytes(elf, 1, 2);
    append_bytes(elf, 64, 2);
    append_bytes(elf, 0, 2);
    append_bytes(elf, 0, 2);
    const std::uint64_t size = k_headers + code.size();
    append_bytes(elf, 1, 4); // PT_LOAD
    append_bytes(elf, 5, 4); // readable, executable
    append_bytes(elf, 0, 8);
    append_bytes(elf, k_base, 8);
    append_bytes(elf, k_base, 8);
    append_bytes(elf, size, 8);
    append_bytes(elf, size, 8);
    append_bytes(elf, 0x10000, 8);
    for (const auto byte : code)
        elf.push_back(static_cast<char>(byte));
    return elf;
}

// pause(2) for ever: mov $34, %eax; syscall; jmp back.
constexpr std::initializer_list<std::uint8_t> k_code_x86_64 = {0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xeb, 0xf7};

// ppoll(NULL, 0, NULL, NULL, 0) for ever: mov x0…x4, #0; mov x8, #73; svc #0; b back.
constexpr std::initializer_list<std::uint8_t> k_code_aarch64 = {
    0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x00, 0x80, 0xd2,
    0x04, 0x00, 0x80, 0xd2, 0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0xf9, 0xff, 0xff, 0x17};

} // namespace

std::optional<std::string> holder_tar(const std::string& architecture)
{
    std::string program;
    if (architecture == "x86_64" || architecture == "amd64")
        program = elf_of(62, k_code_x86_64);
    else if (architecture == "aarch64" || architecture == "arm64")
        program = elf_of(183, k_code_aarch64);
    else
        return std::nullopt;
    TarBuilder tar;
    tar.add_file("hold", 0755, program);
    return tar.finish();
}

namespace {

// A pipeline can give the name to an image of its own, which would then run in the networks of others.
bool is_holder(const engine::ImageInfo& image)
{
    const auto tar = holder_tar(image.architecture);
    return tar && image.layers == std::vector<std::string>{"sha256:" + sha256_hex(*tar)};
}

} // namespace

awaitable<std::optional<std::string>> holder_image(engine::Engine& engine)
{
    const auto found = co_await engine.find_image(k_holder_image);
    if (found && is_holder(*found))
        co_return found->id;
    const auto info = co_await engine.probe();
    auto tar = holder_tar(info.architecture);
    if (!tar)
        co_return std::nullopt;
    const engine::Labels labels{{"gantry.kind", "holder"}};
    const std::vector<std::string> command{"/hold"};
    co_return (co_await engine.import_image(k_holder_image, labels, command, std::move(*tar))).id;
}

} // namespace gantry::runner

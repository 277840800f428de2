#pragma once

#include "base/async.hpp"
#include "engine/docker/docker.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace gantry::engine::docker {

// One open byte stream to the daemon. Reading and writing may overlap; two reads or two writes may not. Errors are
// unavailable, or denied where TLS refuses; destroying it closes it.
class Connection {
public:
    virtual ~Connection() = default;

    // At least one byte; 0 when the other side has ended.
    virtual awaitable<std::size_t> read_some(char* into, std::size_t size_bytes) = 0;
    virtual awaitable<void> write(std::string_view bytes) = 0;
    // Half-close: the other side reads an end of file and can still answer.
    virtual awaitable<void> close_write() = 0;
    // True if the other side has closed it, or has spoken although nothing was asked.
    virtual bool stale() = 0;
    // How many bytes have been handed to the kernel.
    virtual std::uint64_t written_bytes() const = 0;
};

// Where an endpoint's URL leads. Throws bad_input for what is no URL of a daemon, unsupported for ssh:// and npipe://.
struct Address {
    std::string path; // of a unix socket; empty: TCP
    std::string host;
    std::string port;
    bool tls = false;
};
Address parse_address(const DockerEndpoint& endpoint);

struct TlsContext; // certificates, read once

// Opens connections to one endpoint.
class Connector {
public:
    Connector(DockerEndpoint endpoint, asio::thread_pool& pool);
    ~Connector();

    // Throws unavailable with a hint when nobody listens or access is refused. 10 s, and what the system
    // takes to look up a name.
    awaitable<std::unique_ptr<Connection>> connect();
    const DockerEndpoint& endpoint() const { return endpoint_; }
    // A unix socket of this machine.
    bool local() const { return !address_.path.empty(); }
    // For the Host header.
    std::string host_header() const;

private:
    awaitable<std::unique_ptr<Connection>> connect_unix();
    awaitable<std::unique_ptr<Connection>> connect_tcp();

    DockerEndpoint endpoint_;
    asio::thread_pool& pool_;
    Address address_;
    std::shared_ptr<TlsContext> tls_;
};

// ---- tls.cpp

// Reads the certificates of an endpoint. Throws bad_input that names the file.
std::shared_ptr<TlsContext> make_tls_context(const DockerEndpoint& endpoint);
// TLS over `inner`, after the handshake. Throws denied when the certificates do not fit.
awaitable<std::unique_ptr<Connection>> start_tls(std::shared_ptr<TlsContext> context, std::unique_ptr<Connection> inner,
                                                 std::string host);

} // namespace gantry::engine::docker

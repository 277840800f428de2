#include "engine/docker/connection.hpp"

#include "base/format.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

// TLS over a Connection, with OpenSSL working on memory: so half-closing and the order of reads and writes are ours.

namespace gantry::engine::docker {

struct TlsContext {
    std::shared_ptr<SSL_CTX> handle;
    bool verify = true;
};

namespace {

// The oldest error in OpenSSL's queue, which is the cause of the others; empties the queue.
std::string openssl_reason()
{
    const auto code = ERR_get_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code))
        return std::strerror(ERR_GET_REASON(code));
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "unknown TLS error" : reason;
}

constexpr const char* k_files_hint =
    "the folder that DOCKER_CERT_PATH or the Docker context names needs ca.pem, cert.pem and its key.pem, as PEM without passphrase";

constexpr const char* k_unknown_hint = "does the engine's authority know our certificate? see cert.pem in DOCKER_CERT_PATH";

void require_file(int result, const std::string& path)
{
    if (result != 1)
        throw Error(Errc::bad_input, fmt::format("cannot use {}: {}", path, openssl_reason()), k_files_hint);
}

// Instead of a question on the terminal, which a pipeline would wait for.
int refuse_passphrase(char*, int, int, void*)
{
    return -1;
}

class TlsConnection final : public Connection {
public:
    TlsConnection(std::shared_ptr<TlsContext> context, std::unique_ptr<Connection> inner, asio::any_io_executor executor)
        : context_(std::move(context)), inner_(std::move(inner)), ssl_(SSL_new(context_->handle.get()), SSL_free),
          flushed_(std::move(executor))
    {
        received_ = BIO_new(BIO_s_mem());
        to_send_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_.get(), received_, to_send_);
    }

    awaitable<void> handshake(const std::string& host)
    {
        set_peer(host);
        SSL_set_connect_state(ssl_.get());
        for (;;) {
            ERR_clear_error();
            const int result = SSL_do_handshake(ssl_.get());
            const int problem = SSL_get_error(ssl_.get(), result);
            co_await flush();
            if (result == 1)
                co_return;
            if (problem != SSL_ERROR_WANT_READ)
                throw_refused();
            if (!co_await receive())
                throw Error(Errc::denied, "the container engine ended the TLS handshake",
                            k_unknown_hint);
        }
    }

    awaitable<std::size_t> read_some(char* into, std::size_t size_bytes) override
    {
        for (;;) {
            ERR_clear_error();
            const int count = SSL_read(ssl_.get(), into, int_size(size_bytes));
            if (count > 0) {
                heard_ = true;
                co_return static_cast<std::size_t>(count);
            }
            const int problem = SSL_get_error(ssl_.get(), count);
            if (problem == SSL_ERROR_ZERO_RETURN)
                co_return 0;
            if (problem != SSL_ERROR_WANT_READ)
                throw_refused();
            // A flush that goes on sends what reading has queued, too. It may be waiting for us to read: no wait for it.
            if (!flushing_)
                co_await flush();
            if (!co_await receive())
                throw explained(Error(Errc::unavailable, "lost the connection to the container engine: cut off"));
        }
    }

    awaitable<void> write(std::string_view bytes) override
    {
        while (!bytes.empty()) {
            ERR_clear_error();
            // A memory BIO takes all of it; in pieces, so that it does not double what the caller holds.
            const int count = SSL_write(ssl_.get(), bytes.data(), int_size(std::min<std::size_t>(bytes.size(), 64 * 1024)));
            if (count <= 0)
                throw Error(Errc::unavailable, "lost the connection to the container engine: " + openssl_reason());
            bytes.remove_prefix(static_cast<std::size_t>(count));
            co_await flush();
        }
    }

    awaitable<void> close_write() override
    {
        SSL_shutdown(ssl_.get()); // queues close_notify; what the other side still sends can be read
        co_await flush();
    }

    bool stale() override { return inner_->stale(); }
    std::uint64_t written_bytes() const override { return inner_->written_bytes(); }

private:
    static int int_size(std::size_t size_bytes)
    {
        return static_cast<int>(std::min<std::size_t>(size_bytes, std::numeric_limits<int>::max()));
    }

    void set_peer(const std::string& host)
    {
        auto* parameters = SSL_get0_param(ssl_.get());
        if (!context_->verify)
            return;
        // An address is compared with the certificate's addresses, a name with its names.
        if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1)
            return;
        ERR_clear_error();
        SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
        X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
    }

    [[noreturn]] void throw_refused()
    {
        const auto verified = SSL_get_verify_result(ssl_.get());
        auto reason = openssl_reason();
        if (verified != X509_V_OK && context_->verify)
            reason = X509_verify_cert_error_string(verified);
        throw Error(Errc::denied, "TLS with the container engine failed: " + reason,
                    "see DOCKER_CERT_PATH: ca.pem, cert.pem and key.pem");
    }

    // TLS 1.3 lets us speak before the engine has looked at our certificate, and its refusal may be no more than an end.
    Error explained(const Error& error) const
    {
        if (heard_ || !error.hint().empty() || error.code() != Errc::unavailable)
            return error;
        return Error(error.code(), std::string(error.what()) + " during TLS", k_unknown_hint);
    }

    // False at the end of the stream.
    awaitable<bool> receive()
    {
        std::array<char, 32 * 1024> buffer;
        std::size_t count = 0;
        try {
            count = co_await inner_->read_some(buffer.data(), buffer.size());
        } catch (const Error& error) {
            throw explained(error);
        }
        BIO_write(received_, buffer.data(), int_size(count));
        co_return count > 0;
    }

    // Sends what OpenSSL has queued, with what reading queues meanwhile. A second caller waits for the first.
    awaitable<void> flush()
    {
        while (flushing_)
            co_await flushed_.wait();
        flushing_ = true;
        std::exception_ptr failure;
        try {
            while (BIO_ctrl_pending(to_send_) > 0) {
                std::string bytes(BIO_ctrl_pending(to_send_), '\0');
                BIO_read(to_send_, bytes.data(), int_size(bytes.size()));
                co_await inner_->write(bytes);
            }
        } catch (...) {
            failure = std::current_exception();
        }
        flushing_ = false;
        flushed_.notify_all();
        if (failure && is_cancellation(failure))
            std::rethrow_exception(failure);
        if (failure)
            throw explained(to_error(failure));
    }

    std::shared_ptr<TlsContext> context_;
    std::unique_ptr<Connection> inner_;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
    BIO* received_ = nullptr; // owned by ssl_
    BIO* to_send_ = nullptr;
    bool flushing_ = false;
    bool heard_ = false; // anything from the engine itself
    Signal flushed_;
};

} // namespace

std::shared_ptr<TlsContext> make_tls_context(const DockerEndpoint& endpoint)
{
    auto context = std::make_shared<TlsContext>();
    context->handle = std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    context->verify = endpoint.verify;
    auto* handle = context->handle.get();
    SSL_CTX_set_default_passwd_cb(handle, refuse_passphrase);
    SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
    SSL_CTX_set_verify(handle, endpoint.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (endpoint.ca_file.empty())
        SSL_CTX_set_default_verify_paths(handle);
    else
        require_file(SSL_CTX_load_verify_locations(handle, endpoint.ca_file.c_str(), nullptr), endpoint.ca_file);
    if (!endpoint.cert_file.empty())
        require_file(SSL_CTX_use_certificate_chain_file(handle, endpoint.cert_file.c_str()), endpoint.cert_file);
    if (!endpoint.key_file.empty())
        require_file(SSL_CTX_use_PrivateKey_file(handle, endpoint.key_file.c_str(), SSL_FILETYPE_PEM), endpoint.key_file);
    return context;
}

awaitable<std::unique_ptr<Connection>> start_tls(std::shared_ptr<TlsContext> context, std::unique_ptr<Connection> inner,
                                                 std::string host)
{
    auto connection = std::make_unique<TlsConnection>(std::move(context), std::move(inner),
                                                      co_await asio::this_coro::executor);
    co_await connection->handshake(host);
    co_return connection;
}

} // namespace gantry::engine::docker

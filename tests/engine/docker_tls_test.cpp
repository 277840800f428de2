#include "base/process.hpp"
#include "engine/docker_support.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <filesystem>

using namespace gantry;
using namespace gantry::engine;
using namespace gantry::test;
namespace fs = std::filesystem;
using Tcp = asio::ip::tcp;
using Unix = asio::local::stream_protocol;

namespace {

// An authority, a server's certificate for 127.0.0.1, and a client's.
class Certificates {
public:
    Certificates() : folder_(fs::temp_directory_path() / ("gantry-tls-" + random_hex(6)))
    {
        fs::create_directories(folder_);
        make_authority("ca");
        sign("server", "subjectAltName=IP:127.0.0.1,DNS:localhost");
        sign("cert", "extendedKeyUsage=clientAuth");
        fs::rename(folder_ / "cert-key.pem", folder_ / "key.pem");
    }
    ~Certificates() { fs::remove_all(folder_); }

    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    std::string folder() const { return folder_.string(); }

    void make_authority(const std::string& name) const
    {
        openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                 "/CN=gantry test " + name, "-keyout", file(name + "-key.pem"), "-out", file(name + ".pem")});
    }

    void lock_key() const
    {
        openssl({"ec", "-in", file("key.pem"), "-aes256", "-passout", "pass:secret", "-out", file("locked.pem")});
        fs::rename(file("locked.pem"), file("key.pem"));
    }

private:
    void sign(const std::string& name, const std::string& extension) const
    {
        openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout",
                 file(name + "-key.pem"), "-out", file(name + ".csr")});
        std::ofstream(file(name + ".ext")) << extension << '\n';
        openssl({"x509", "-req", "-in", file(name + ".csr"), "-CA", file("ca.pem"), "-CAkey", file("ca-key.pem"),
                 "-CAcreateserial", "-days", "2", "-extfile", file(name + ".ext"), "-out", file(name + ".pem")});
    }

    static void openssl(std::vector<std::string> arguments)
    {
        ProcessSpec spec;
        spec.argv = {"openssl"};
        spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
        const auto result = run_process(spec);
        if (result.exit_code != 0)
            throw std::runtime_error("openssl: " + result.error_output);
    }

    fs::path folder_;
};

awaitable<void> finish_writing(Unix::socket& to)
{
    boost::system::error_code ignored;
    to.shutdown(Unix::socket::shutdown_send, ignored);
    co_return;
}

awaitable<void> finish_writing(Tcp::socket& to)
{
    boost::system::error_code ignored;
    to.shutdown(Tcp::socket::shutdown_send, ignored);
    co_return;
}

awaitable<void> finish_writing(asio::ssl::stream<Tcp::socket>& to)
{
    co_await to.async_shutdown(asio::as_tuple(use_awaitable));
    boost::system::error_code ignored;
    to.next_layer().shutdown(Tcp::socket::shutdown_both, ignored);
}

template <typename From, typename To>
awaitable<void> copy(From& from, To& to)
{
    std::array<char, 65536> bytes;
    for (;;) {
        auto [error, count] = co_await from.async_read_some(asio::buffer(bytes), asio::as_tuple(use_awaitable));
        if (error)
            break;
        auto [write_error, written] =
            co_await asio::async_write(to, asio::buffer(bytes.data(), count), asio::as_tuple(use_awaitable));
        if (write_error)
            break;
    }
    co_await finish_writing(to);
}

// Puts a daemon's unix socket on a TCP port of this machine, with or without mutual TLS.
class Proxy {
public:
    // `endpoint`: the daemon's own address, unix:///...; empty where no request gets so far.
    Proxy(RealLoop& loop, const Certificates* certificates, std::string_view endpoint)
        : loop_(loop), daemon_(endpoint.substr(std::min(endpoint.size(), std::string_view("unix://").size()))),
          acceptor_(loop.io, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)), tasks_(loop.io.get_executor())
    {
        if (certificates != nullptr) {
            tls_.use_certificate_chain_file(certificates->file("server.pem"));
            tls_.use_private_key_file(certificates->file("server-key.pem"), asio::ssl::context::pem);
            tls_.load_verify_file(certificates->file("ca.pem"));
            tls_.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
        }
        with_tls_ = certificates != nullptr;
        tasks_.spawn([this] { return accept(); });
    }
    ~Proxy() { loop_.run(tasks_.close()); }

    std::string url() const { return "tcp://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

private:
    awaitable<void> accept()
    {
        for (;;) {
            auto socket = std::make_shared<Tcp::socket>(co_await acceptor_.async_accept(use_awaitable));
            tasks_.spawn([this, socket] { return serve(std::move(*socket)); });
        }
    }

    awaitable<void> serve(Tcp::socket socket)
    {
        Unix::socket daemon(loop_.io);
        auto [refused] = co_await daemon.async_connect(Unix::endpoint(daemon_), asio::as_tuple(use_awaitable));
        if (refused && !with_tls_)
            co_return;
        if (!with_tls_) {
            co_await both(copy(socket, daemon), copy(daemon, socket));
            co_return;
        }
        asio::ssl::stream<Tcp::socket> secured(std::move(socket), tls_);
        auto [error] = co_await secured.async_handshake(asio::ssl::stream_base::server, asio::as_tuple(use_awaitable));
        if (!error)
            co_await both(copy(secured, daemon), copy(daemon, secured));
    }

    RealLoop& loop_;
    std::string daemon_; // the path of its socket
    Tcp::acceptor acceptor_;
    asio::ssl::context tls_{asio::ssl::context::tls_server};
    bool with_tls_ = false;
    TaskGroup tasks_;
};

DockerOptions tls_options(const std::string& url, const std::string& folder)
{
    DockerOptions options;
    options.host = url;
    options.tls_verify = "1";
    options.cert_path = folder;
    return options;
}

Error probe_error(RealLoop& loop, const DockerOptions& options)
{
    const auto engine = make_docker(loop.pool, options);
    try {
        loop.run(engine->probe());
    } catch (const Error& error) {
        return error;
    }
    return Error(Errc::internal, "no error");
}

awaitable<void> write_and_close(Attachment& attachment, std::string_view bytes)
{
    co_await attachment.write(bytes);
    co_await attachment.close_stdin();
}

// Output, input with its end, exec and an archive: what differs between kinds of connections.
void use_it(RealEngine& real, Engine& engine)
{
    const auto spec = real.shell("far", "cat; echo done >&2; exit 4");
    auto with_input = spec;
    with_input.open_stdin = true;
    real.run(engine.create_container(with_input));
    Engine::AttachOptions options;
    options.open_stdin = true;
    const auto attachment = real.run(engine.attach(spec.name, options));
    real.run(engine.start_container(spec.name));
    std::string much;
    for (int line = 0; line < 100'000; ++line)
        much += std::to_string(line) + "\n";
    TextSink sink;

    ExecSpec exec;
    exec.command = {"/bin/sh", "-c", "echo inside; exit 5"};
    const auto session = real.run(engine.exec(spec.name, exec));
    TextSink inside;
    real.run(session->read_all(inside));
    CHECK(inside.out == "inside\n");
    CHECK(real.run(session->exit_code()) == 5);

    // Who writes much before it reads: our input waits for that, and reading its output does not wait for our input.
    exec.command = {"/bin/sh", "-c", "head -c 30000000 /dev/zero; wc -c"};
    exec.open_stdin = true;
    const auto both_ways = real.run(engine.exec(spec.name, exec));
    const std::string input(30'000'000, 'x');
    TextSink after;
    real.run(with_deadline(60s, "both ways", both(both_ways->read_all(after), write_and_close(*both_ways, input))));
    CHECK(after.out.ends_with("30000000\n"));
    CHECK(after.out.size() == input.size() + 9);

    real.run(both(attachment->read_all(sink), write_and_close(*attachment, much)));
    CHECK((sink.out == much));
    CHECK(sink.err == "done\n");
    CHECK(real.run(engine.wait_container(spec.name)).exit_code == 4);

    std::string tar;
    real.run(engine.download(spec.name, "/etc/passwd", [&tar](std::string_view piece) -> awaitable<void> {
        tar += piece;
        co_return;
    }));
    CHECK(tar.find("root:x:0:0") != std::string::npos);
    real.run(engine.remove(ObjectKind::container, spec.name));
}

} // namespace

TEST_CASE("a daemon is used over TCP as over its socket", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    Proxy proxy(real, nullptr, real.info.endpoint);
    DockerOptions options;
    options.host = proxy.url();
    const auto engine = make_docker(real.pool, options);
    CHECK_FALSE(real.run(engine->probe()).local);
    use_it(real, *engine);
}

TEST_CASE("a daemon is used over mutual TLS as over its socket", "[docker]")
{
    RealEngine real;
    GANTRY_NEEDS_ENGINE(real);
    const Certificates certificates;
    Proxy proxy(real, &certificates, real.info.endpoint);
    const auto engine = make_docker(real.pool, tls_options(proxy.url(), certificates.folder()));
    CHECK(real.run(engine->probe()).id == real.info.id);
    use_it(real, *engine);
}

TEST_CASE("TLS that does not fit is refused with its reason", "[engine]")
{
    const Certificates certificates;
    RealLoop loop;
    Proxy proxy(loop, &certificates, {});
    auto options = tls_options(proxy.url(), certificates.folder());

    SECTION("another authority")
    {
        certificates.make_authority("ca"); // in place of the one that has signed
        CHECK(probe_error(loop, options).code() == Errc::denied);
    }
    SECTION("no certificate of ours")
    {
        fs::remove(certificates.file("cert.pem"));
        fs::remove(certificates.file("key.pem"));
        CHECK(probe_error(loop, options).code() == Errc::denied);
    }
    SECTION("another host")
    {
        options.host = "tcp://127.0.0.2" + proxy.url().substr(proxy.url().rfind(':'));
        const auto code = probe_error(loop, options).code();
        const bool expected = code == Errc::denied || code == Errc::unavailable; // where 127.0.0.2 is not ours
        CHECK(expected);
    }
    SECTION("a key that is none")
    {
        std::ofstream(certificates.file("key.pem")) << "nonsense";
        const auto error = probe_error(loop, options);
        CHECK(error.code() == Errc::bad_input);
        CHECK_THAT(error.what(), ContainsSubstring("key.pem"));
    }
    SECTION("a key of somebody else")
    {
        certificates.make_authority("other");
        fs::rename(certificates.file("other-key.pem"), certificates.file("key.pem"));
        const auto error = probe_error(loop, options);
        CHECK(error.code() == Errc::bad_input);
        CHECK_THAT(error.what(), ContainsSubstring("key.pem: key values mismatch"));
    }
    SECTION("a key behind a passphrase, which nobody is asked for")
    {
        certificates.lock_key();
        const auto error = probe_error(loop, options);
        CHECK(error.code() == Errc::bad_input);
        CHECK_THAT(error.hint(), ContainsSubstring("without passphrase"));
    }
    SECTION("a key that cannot be opened")
    {
        fs::remove(certificates.file("key.pem"));
        const Unix::acceptor no_file(loop.io, Unix::endpoint(certificates.file("key.pem")));
        CHECK_THAT(probe_error(loop, options).what(), ContainsSubstring("key.pem: No such device or address"));
    }
}

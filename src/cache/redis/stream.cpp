#include "cache/redis/stream.h"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

namespace zona::cache::redis {
namespace {

using asio::ip::tcp;
using core::Code;
using core::Error;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Error failure(const boost::system::error_code& error, std::string_view what) {
    if (error == asio::error::operation_aborted) return {Code::kCancelled, "closed"};
    return {Code::kUnavailable, fmt::format("{}: {}", what, error.message())};
}

asio::awaitable<core::Result<void>> connect_socket(tcp::socket& socket, const bool& is_closed,
                                                   Endpoint to) {
    const std::string name = to.to_string();
    const std::string port = std::to_string(to.port);
    tcp::resolver resolver(socket.get_executor());
    const auto [unknown, found] = co_await resolver.async_resolve(to.host, port, kAwait);
    if (unknown) co_return failure(unknown, name);
    // Closed while the resolver was asked, which nothing hurries.
    if (is_closed) co_return failure(asio::error::operation_aborted, name);
    const auto [refused, used] = co_await asio::async_connect(socket, found, kAwait);
    if (refused) co_return failure(refused, name);
    boost::system::error_code ignored;  // a connection that is already broken says so when it reads
    socket.set_option(tcp::no_delay(true), ignored);
    co_return core::Result<void>();
}

/// `Layer` is what is read and written, `socket()` what is under it.
template <class Layer>
class LayeredStream : public Stream {
  public:
    template <class... Arguments>
    explicit LayeredStream(Arguments&&... arguments)
        : layer_(std::forward<Arguments>(arguments)...) {}

    asio::awaitable<core::Result<std::size_t>> read_some(std::span<char> into) override {
        const asio::mutable_buffer buffer(into.data(), into.size());
        const auto [error, count] = co_await layer_.async_read_some(buffer, kAwait);
        if (error) co_return failure(error, "the connection to Redis has ended");
        co_return count;
    }

    void write(std::string bytes, std::move_only_function<void(bool)> done) override {
        auto data = std::make_unique<std::string>(std::move(bytes));
        const asio::const_buffer buffer = asio::buffer(*data);
        asio::async_write(
            layer_, buffer,
            [data = std::move(data), done = std::move(done)](
                boost::system::error_code error, std::size_t) mutable { done(!error); });
    }

    void close() override {
        is_closed_ = true;
        boost::system::error_code ignored;  // close(2) frees the descriptor whatever it returns
        layer_.lowest_layer().close(ignored);
    }

  protected:
    Layer layer_;
    bool is_closed_ = false;
};

class PlainStream final : public LayeredStream<tcp::socket> {
  public:
    using LayeredStream::LayeredStream;
    asio::awaitable<core::Result<void>> connect(Endpoint to) override {
        co_return co_await connect_socket(layer_, is_closed_, std::move(to));
    }
};

class TlsStream final : public LayeredStream<asio::ssl::stream<tcp::socket>> {
  public:
    TlsStream(const asio::any_io_executor& executor, std::shared_ptr<asio::ssl::context> context)
        : LayeredStream(tcp::socket(executor), *context), context_(std::move(context)) {}

    asio::awaitable<core::Result<void>> connect(Endpoint to) override {
        ZONA_CO_TRY_VOID(co_await connect_socket(layer_.next_layer(), is_closed_, to));
        std::string reason;
        const asio::ssl::host_name_verification names(to.host);
        layer_.set_verify_callback([&](bool accepted, asio::ssl::verify_context& context) {
            const bool is_believed = accepted && names(accepted, context);
            X509_STORE_CTX* store = context.native_handle();
            const int number = X509_STORE_CTX_get_error(store);
            if (!is_believed && reason.empty()) {
                reason = number == X509_V_OK ? "it is of another name"
                                             : X509_verify_cert_error_string(number);
            }
            return is_believed;
        });
        // A name that is an address is not sent.
        boost::system::error_code is_name;
        asio::ip::make_address(to.host, is_name);
        if (is_name) SSL_set_tlsext_host_name(layer_.native_handle(), to.host.c_str());
        const auto [error] = co_await layer_.async_handshake(Layer::client, kAwait);
        layer_.set_verify_callback([](bool accepted, auto&) { return accepted; });
        if (!reason.empty()) {
            co_return Error(
                Code::kUnauthenticated,
                fmt::format("the certificate of {} is not trusted: {}", to.to_string(), reason));
        }
        if (error) co_return failure(error, to.to_string() + " does not speak TLS as it should");
        co_return core::Result<void>();
    }

  private:
    using Layer = asio::ssl::stream<tcp::socket>;
    std::shared_ptr<asio::ssl::context> context_;  // shared with the factory
};

}  // namespace

core::Result<StreamFactory> stream_factory(const asio::any_io_executor& executor,
                                           const Security& security) {
    if (!security.tls) {
        return StreamFactory(
            [executor] { return std::make_shared<PlainStream>(tcp::socket(executor)); });
    }
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_options(context->native_handle(), SSL_OP_IGNORE_UNEXPECTED_EOF);
    context->set_verify_mode(asio::ssl::verify_peer);
    boost::system::error_code error;
    if (security.ca_file.empty()) {
        context->set_default_verify_paths(error);
    } else {
        context->load_verify_file(security.ca_file, error);
    }
    if (error) {
        return Error(Code::kInvalidArgument,
                     fmt::format("no certificate of an authority can be read from {}: {}",
                                 security.ca_file, error.message()));
    }
    return StreamFactory([executor, context = std::move(context)] {
        return std::make_shared<TlsStream>(executor, context);
    });
}

}  // namespace zona::cache::redis

#include "net/server_pool.h"

#include <atomic>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "net/detail/admission.h"
#include "net/tls.h"
#include "os/child.h"
#include "os/thread.h"

namespace zona::net {

class ServerPool::Impl {
  public:
    Impl(std::size_t servers, const ServerOptions& options, const ApplicationFactory& make,
         const core::Clock& clock, const core::Logger& log, core::MetricRegistry& metrics)
        : tally_(std::make_shared<detail::ConnectionTally>(options, metrics)), log_(log) {
        for (std::size_t i = 0; i < servers; ++i)
            members_.push_back(
                std::make_unique<Member>(options, make(i), clock, log, metrics, tally_));
    }

    core::Result<void> listen(std::vector<os::UniqueFd> sockets,
                              const std::shared_ptr<TlsContext>& tls);
    void listen_now(os::UniqueFd socket, const std::shared_ptr<TlsContext>& tls);
    void start(std::function<void()> ended);
    void join();
    void set_options(const ServerOptions& options) {
        tally_->set_limits(options);
        on_each([options](Server& server) { server.set_options(options); });
    }
    /// Runs `work` on every server's thread.
    void on_each(const std::function<void(Server&)>& work);

    std::size_t open() const { return tally_->open(); }
    std::size_t size() const { return members_.size(); }

  private:
    struct Member {
        Member(const ServerOptions& options, Application application, const core::Clock& clock,
               const core::Logger& log, core::MetricRegistry& metrics,
               const std::shared_ptr<detail::ConnectionTally>& tally)
            : server(context.get_executor(), options, std::move(application), clock, log, metrics,
                     tally),
              work(context.get_executor()) {}
        asio::io_context context{1};
        Server server;
        asio::executor_work_guard<asio::io_context::executor_type> work;
        std::thread thread;
    };

    void run(std::size_t index);
    void ended_one();
    void deal(std::size_t from, os::UniqueFd connection, const std::shared_ptr<TlsContext>& tls);

    std::shared_ptr<detail::ConnectionTally> tally_;
    const core::Logger log_;
    std::vector<std::unique_ptr<Member>> members_;
    std::atomic<std::size_t> next_ = 0;  ///< who gets the next dealt connection
    std::atomic<std::size_t> running_ = 0;
    std::function<void()> ended_;
};

core::Result<void> ServerPool::Impl::listen(std::vector<os::UniqueFd> sockets,
                                            const std::shared_ptr<TlsContext>& tls) {
    const bool dealt = sockets.size() < members_.size();
    for (std::size_t i = 0; i < sockets.size(); ++i) {
        const std::size_t index = i % members_.size();
        ListenOptions options{.tls = tls};
        if (dealt) {
            options.hand_over = [this, index, tls](os::UniqueFd connection) {
                deal(index, std::move(connection), tls);
            };
        }
        ZONA_TRY_VOID(members_[index]->server.listen(std::move(sockets[i]), std::move(options)));
    }
    return {};
}

void ServerPool::Impl::listen_now(os::UniqueFd socket, const std::shared_ptr<TlsContext>& tls) {
    asio::post(members_.front()->context, [this, tls, taken = std::move(socket)]() mutable {
        ListenOptions options;
        options.tls = tls;
        options.hand_over = [this, tls](os::UniqueFd connection) {
            deal(0, std::move(connection), tls);
        };
        auto listening = members_.front()->server.listen(std::move(taken), std::move(options));
        if (!listening) log_.report("cannot listen on one more socket", listening.error());
    });
}

/// One socket that all servers accepted from would wake them all for each connection, and the
/// quickest would get the most.
void ServerPool::Impl::deal(std::size_t from, os::UniqueFd connection,
                            const std::shared_ptr<TlsContext>& tls) {
    const std::size_t to = next_.fetch_add(1, std::memory_order_relaxed) % members_.size();
    Server& server = members_[to]->server;
    if (to == from) return server.adopt(std::move(connection), tls);
    asio::post(members_[to]->context, [&server, tls, taken = std::move(connection)]() mutable {
        server.adopt(std::move(taken), tls);
    });
}

void ServerPool::Impl::start(std::function<void()> ended) {
    ended_ = std::move(ended);
    running_ = members_.size();
    for (std::size_t i = 0; i < members_.size(); ++i)
        members_[i]->thread = std::thread([this, i] { run(i); });
}

void ServerPool::Impl::run(std::size_t index) {
    os::block_all_signals();
    os::name_this_thread(fmt::format("requests-{}", index).c_str());
    Member& member = *members_[index];
    asio::co_spawn(member.context, member.server.serve(),
                   [this](const std::exception_ptr&) { ended_one(); });
    member.context.run();
}

/// Each runs until all have ended: a connection may just have been dealt to it.
void ServerPool::Impl::ended_one() {
    if (--running_ > 0) return;
    for (const auto& member : members_)
        asio::post(member->context, [&member = *member] { member.work.reset(); });
    if (ended_) ended_();
}

void ServerPool::Impl::join() {
    for (const auto& member : members_) {
        if (member->thread.joinable()) member->thread.join();
    }
}

void ServerPool::Impl::on_each(const std::function<void(Server&)>& work) {
    for (const auto& member : members_)
        asio::post(member->context, [work, &server = member->server] { work(server); });
}

ServerPool::ServerPool(std::size_t servers, const ServerOptions& options,
                       const ApplicationFactory& make, const core::Clock& clock,
                       const core::Logger& log, core::MetricRegistry& metrics)
    : impl_(std::make_unique<Impl>(servers, options, make, clock, log, metrics)) {}

ServerPool::~ServerPool() {
    stop();
    join();
}

core::Result<void> ServerPool::listen(std::vector<os::UniqueFd> sockets,
                                      const std::shared_ptr<TlsContext>& tls) {
    return impl_->listen(std::move(sockets), tls);
}
void ServerPool::listen_now(os::UniqueFd socket, const std::shared_ptr<TlsContext>& tls) {
    impl_->listen_now(std::move(socket), tls);
}
void ServerPool::start(std::function<void()> ended) {
    impl_->start(std::move(ended));
}
void ServerPool::join() {
    impl_->join();
}
void ServerPool::set_options(const ServerOptions& options) {
    impl_->set_options(options);
}
void ServerPool::drain(core::Deadline deadline) {
    impl_->on_each([deadline](Server& server) { server.drain(deadline); });
}
void ServerPool::stop() {
    impl_->on_each([](Server& server) { server.stop(); });
}
std::size_t ServerPool::connections() const {
    return impl_->open();
}
std::size_t ServerPool::servers() const {
    return impl_->size();
}

}  // namespace zona::net

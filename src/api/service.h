/// @file
/// Service: the API as a whole: operations with their handlers, and the documents about them.
///
/// The only way to a route: who has a handler gives its Operation with it, and from then on its
/// requests are checked before the handler sees them, and it stands in every document. In builds
/// for tests each answer is checked against its declaration too, and one that does not fit is
/// answered 500: so every test that calls a route is a test of its contract.
///
/// Built once by one thread; after that everything is const and may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/operation.h"
#include "core/result.h"
#include "net/router.h"

namespace zona::api {

/// A request that fits its operation.
class Call {
  public:
    /// Both must outlive it.
    Call(net::Request& request, const Operation& operation);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();

    /// Reads parameters and body. Errors: kInvalidArgument with one Detail per mistake, kTooLarge.
    /// Before it succeeded nothing below may be called.
    core::Result<void> read(const Components& components);

    net::Request& request() const { return request_; }
    const Operation& operation() const { return operation_; }
    /// The body; `{}` if there was none.
    const boost::json::value& body() const;
    /// A path parameter. Precondition: the path has it.
    const std::string& path(std::string_view name) const { return request_.parameter(name); }
    /// Query parameters as sent, or their defaults. Precondition: the operation declares them so.
    std::optional<std::string> text(std::string_view name) const;
    /// All values of a repeatable one.
    std::vector<std::string> texts(std::string_view name) const;
    /// An integer, or its default.
    std::optional<std::int64_t> integer(std::string_view name) const;
    bool flag(std::string_view name) const;  ///< false if absent without default

    /// Says what the handler has changed, for the record: JSON objects without secrets, as an
    /// answer shows them; empty: it is not there before, or after.
    void changed(std::string from, std::string to) {
        before_ = std::move(from);
        after_ = std::move(to);
    }
    /// Says which name the request goes by without having shown that it is its own, for the record.
    void claim(std::string tenant, std::string name) {
        claimed_tenant_ = std::move(tenant);
        claimed_name_ = std::move(name);
    }
    /// @{
    /// What claim() was given.
    const std::string& claimed_tenant() const { return claimed_tenant_; }
    const std::string& claimed_name() const { return claimed_name_; }
    /// @}
    /// What changed() was given.
    const std::string& before() const { return before_; }
    const std::string& after() const { return after_; }  ///< as before()

  private:
    struct Values;
    net::Request& request_;
    const Operation& operation_;
    std::unique_ptr<Values> values_;
    std::string claimed_tenant_;
    std::string claimed_name_;
    std::string before_;
    std::string after_;
};

/// Who keeps a record of what the operations that change something have done. Any thread; must not
/// block.
class OperationRecord {
  public:
    OperationRecord() = default;
    OperationRecord(const OperationRecord&) = delete;
    OperationRecord& operator=(const OperationRecord&) = delete;
    virtual ~OperationRecord() = default;

    /// Whether an operation may be begun; asked before its handler. Errors: kResourceExhausted: it
    /// could not be put on record.
    virtual core::Result<void> room() const = 0;
    /// Told at the one exit of each operation that is no GET, refused ones included.
    virtual void done(const Call& call, const core::Result<net::Response>& response) = 0;
};

/// Answers a request that fits. The Call lives until the response is made; a streamed body may
/// refer to the request alone.
using CallHandler = std::function<net::asio::awaitable<core::Result<net::Response>>(Call&)>;

/// All operations of one API, and the router that leads to them.
class Service {
  public:
    /// `version` of the program, shown in the documents.
    explicit Service(std::string version);
    ~Service();
    Service(Service&&) noexcept;
    Service& operator=(Service&&) noexcept;

    /// Gives `shape` the name that Shape::component() refers to it by.
    void name(std::string component, Shape shape);

    /// Adds an operation with what answers it. Errors: those of Router::add, and kConflict for an
    /// operationId that is there already: mistakes in this program.
    core::Result<void> add(Operation operation, CallHandler handler);

    /// What operations change is put on record there, which outlives the service. Before the first
    /// request; without it nothing is. Source: AUDIT-02.
    void record_by(OperationRecord& record);

    /// Adds /openapi.json, /docs and /, which show all operations, also those added later. Both
    /// texts are made when they are first asked for: a start does not pay for them.
    core::Result<void> add_documents();

    /// What a server serves.
    const net::Router& router() const;
    /// The shapes that have a name.
    const Components& components() const;
    /// In the order in which they were added.
    std::vector<const Operation*> operations() const;
    /// The OpenAPI 3.1 document, the same bytes for the same declarations, with a newline at the
    /// end.
    std::string openapi() const;
    /// The page at /docs: one HTML text that needs nothing else.
    std::string page() const;
    /// The value of Content-Security-Policy under which the page works, and nothing more.
    std::string page_policy() const;
    /// The tables of docs/api.md.
    std::string tables() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace zona::api

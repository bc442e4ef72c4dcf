#include "api/service.h"

#include <algorithm>
#include <cctype>
#include <mutex>

#include <fmt/format.h>

#include "api/detail/answer_check.h"
#include "api/detail/api_tables.h"
#include "api/detail/docs_page.h"
#include "api/detail/openapi.h"
#include "api/detail/pmdaemon_routes.h"
#include "api/pipeline/route.h"
#include "core/fault.h"
#include "core/text.h"
#include "net/conditional.h"

namespace zona::api {

namespace asio = boost::asio;
using core::Result;
using net::Response;

namespace {

/// Checks the request, lets the handler answer it, and tells `record` of both, which is null for
/// what changes nothing.
asio::awaitable<Result<Response>> answer(const Route& route, const Components& components,
                                         OperationRecord* record, net::Request& request) {
    Call call(request, route.operation);
    if (record != nullptr) ZONA_CO_TRY_VOID(record->room());
    Result<Response> response = Response();
    if (auto read = call.read(components)) {
        response = co_await route.handler(call);
        if constexpr (core::kFaultsBuiltIn)
            response = checked(std::move(response), route.operation, components);
    } else {
        response = read.take_error();
    }
    if (record != nullptr) record->done(call, response);
    co_return response;
}

asio::awaitable<Result<Response>> ready(Response response) {
    co_return response;
}

/// What to say where the path names a version of the API that does not exist (HTTP-19).
std::optional<core::Error> unknown_version(const net::Request& request) {
    constexpr std::size_t kMaxQuoted = 32;
    const std::vector<std::string>& parts = request.segments;
    const bool names_version = parts.size() >= 2 && parts[0] == "api" && parts[1].size() >= 2 &&
                               parts[1] != "v1" && parts[1][0] == 'v' &&
                               std::isdigit(static_cast<unsigned char>(parts[1][1])) != 0;
    if (!names_version) return std::nullopt;
    return core::Error(core::Code::kNotFound,
                       fmt::format("there is no version {} of the API; there is: v1 (/api/v1/...)",
                                   core::to_valid_utf8(parts[1].substr(0, kMaxQuoted))));
}

}  // namespace

struct Service::State {
    std::string version;
    Components components;
    std::vector<std::unique_ptr<const Route>> entries;
    net::Router router;
    OperationRecord* record = nullptr;

    // The texts, each made once, by whichever thread asks first.
    mutable std::once_flag openapi_once, page_once;
    mutable std::string openapi;
    mutable detail::DocsPage page;

    std::vector<const Operation*> operations() const {
        std::vector<const Operation*> out;
        out.reserve(entries.size());
        for (const auto& entry : entries)
            out.push_back(&entry->operation);
        return out;
    }
    const std::string& openapi_text() const {
        std::call_once(openapi_once, [this] {
            openapi = detail::openapi_text(operations(), components, version);
        });
        return openapi;
    }
    const detail::DocsPage& docs_page() const {
        std::call_once(page_once,
                       [this] { page = detail::docs_page(operations(), components, version); });
        return page;
    }
};

Service::Service(std::string version) : state_(std::make_unique<State>()) {
    state_->version = std::move(version);
    state_->router.set_fallback(unknown_version);
}

Service::~Service() = default;
Service::Service(Service&&) noexcept = default;
Service& Service::operator=(Service&&) noexcept = default;

void Service::name(std::string component, Shape shape) {
    state_->components.insert_or_assign(std::move(component), std::move(shape));
}

Result<void> Service::add(Operation operation, CallHandler handler) {
    for (const auto& entry : state_->entries) {
        if (entry->operation.id == operation.id) {
            return core::Error(core::Code::kConflict,
                               fmt::format("operation {} is added twice", operation.id));
        }
    }
    net::RouteOptions options;
    options.limits = operation.limits;
    // Call::read() looks at the type itself.
    if (operation.body && operation.body->form == BodyForm::kForm)
        options.body = net::BodyKind::kAny;
    auto entry = std::make_unique<const Route>(std::move(operation), std::move(handler));
    options.context = entry.get();
    options.open = entry->operation.access == Access::kOpen;
    const State* state = state_.get();
    ZONA_TRY_VOID(state_->router.add(
        entry->operation.method, entry->operation.path,
        [state, entry = entry.get()](net::Request& request) {
            const Operation& operation = entry->operation;
            const bool changes = operation.method != net::Method::kGet || operation.changes_by_get;
            return answer(*entry, state->components, changes ? state->record : nullptr, request);
        },
        std::move(options)));
    state_->entries.push_back(std::move(entry));
    return {};
}

void Service::record_by(OperationRecord& record) {
    state_->record = &record;
}

Result<void> Service::add_documents() {
    const State* state = state_.get();
    const auto openapi = [state](Call&) {
        return ready(net::kept_by_anybody(Response::json(state->openapi_text())));
    };
    const auto page = [state](Call&) {
        Response out = Response::text(state->docs_page().html, "text/html; charset=utf-8");
        out.headers.add("Content-Security-Policy", state->docs_page().policy);
        return ready(net::kept_by_anybody(std::move(out)));
    };
    const auto front = [state](Call& call) {
        const bool is_program = !pmdaemon::wants_page(call.request());
        Response out = is_program ? pmdaemon::front(state->version) : Response();
        out.headers.add("Vary", "Accept");
        if (is_program) return ready(std::move(out));
        out.status = 307;
        out.headers.add("Location", "/docs");
        return ready(std::move(out));
    };
    ZONA_TRY_VOID(add(detail::openapi_operation(), openapi));
    ZONA_TRY_VOID(add(detail::page_operation(), page));
    return add(detail::front_operation(), front);
}

const net::Router& Service::router() const {
    return state_->router;
}

const Components& Service::components() const {
    return state_->components;
}

std::vector<const Operation*> Service::operations() const {
    return state_->operations();
}

std::string Service::openapi() const {
    return state_->openapi_text();
}

std::string Service::page() const {
    return state_->docs_page().html;
}

std::string Service::page_policy() const {
    return state_->docs_page().policy;
}

std::string Service::tables() const {
    return detail::api_tables(operations(), components());
}

}  // namespace zona::api

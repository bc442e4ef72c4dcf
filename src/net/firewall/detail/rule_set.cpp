#include "net/firewall/detail/rule_set.h"

#include <cstdlib>
#include <mutex>
#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <modsecurity/intervention.h>

#include "net/firewall/detail/matched_rules.h"
#include "net/firewall/detail/own_rules.h"
#include "os/fd.h"

namespace zona::net::detail {

using core::Code;
using core::Error;
using core::Result;
using modsecurity::Transaction;

namespace {

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// Not those for other programs, nor those that ask other servers who a client is or count clients.
bool is_used(std::string_view file) {
    if (!file.starts_with("REQUEST-") || !file.ends_with(".conf")) return false;
    for (const std::string_view number : {"903.", "910-", "912-"}) {
        if (file.substr(std::string_view("REQUEST-").size()).starts_with(number)) return false;
    }
    return true;
}

bool has_refused(const ModSecurityLibrary& library, Transaction* transaction) {
    modsecurity::ModSecurityIntervention found{};
    const bool refused = library.intervention(transaction, &found) != 0;
    std::free(found.url);
    std::free(found.log);
    return refused;
}

/// Whether a rule has refused it; those behind that one were not asked.
bool is_attack(const ModSecurityLibrary& library, Transaction* transaction, const Sample& sample) {
    library.process_connection(transaction, sample.address.c_str(), sample.port, "127.0.0.1",
                               sample.to_port);
    library.process_uri(transaction, sample.target.c_str(), sample.method.c_str(), sample.version);
    for (const auto& [name, value] : sample.headers) {
        library.add_n_request_header(transaction, bytes(name), name.size(), bytes(value),
                                     value.size());
    }
    library.process_request_headers(transaction);
    if (has_refused(library, transaction)) return true;
    if (!sample.body.empty())
        library.append_request_body(transaction, bytes(sample.body), sample.body.size());
    library.process_request_body(transaction);
    return has_refused(library, transaction);
}

}  // namespace

Sample::Sample(const Request& request)
    : method(request.method_name),
      target(request.target),
      version(request.version == 10 ? "1.0" : "1.1"),
      headers(request.headers),
      body(request.body) {
    const auto& peer = std::get<TcpPeer>(request.peer);
    address = peer.address;
    port = peer.port;
    to_port = peer.to_port;
}

RuleSet::RuleSet(const ModSecurityLibrary& library)
    : library_(library), rules_(library.create_rules_set()) {}

RuleSet::~RuleSet() {
    library_.rules_cleanup(rules_);
}

/// What the library said of some rules; `error` is given to whoever asked.
Result<void> RuleSet::add(int added, const char* error) {
    const std::unique_ptr<char, decltype(&std::free)> kept(const_cast<char*>(error), &std::free);
    if (added < 0) return Error(Code::kInvalidArgument, kept ? kept.get() : "it cannot be read");
    size_ += static_cast<std::size_t>(added);
    return {};
}

Result<void> RuleSet::add_core(const std::string& directory) {
    ZONA_TRY(const auto files, os::list_directory(directory));
    const std::size_t before = size_;
    for (const std::string& file : files) {
        if (!is_used(file)) continue;
        const char* error = nullptr;
        const int added =
            library_.rules_add_file(rules_, fmt::format("{}/{}", directory, file).c_str(), &error);
        ZONA_TRY_VOID(add(added, error));
    }
    if (size_ > before) return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("no core rules are in {} (Debian: modsecurity-crs)", directory));
}

Result<std::shared_ptr<const RuleSet>> RuleSet::load(const FirewallRules& rules) {
    ZONA_TRY(const ModSecurityLibrary* const library, ModSecurityLibrary::open());
    // The library reads rules with variables of its own: one at a time.
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    std::shared_ptr<RuleSet> out(new RuleSet(*library));
    const char* error = nullptr;
    ZONA_TRY_VOID(out->add(library->rules_add(out->rules_, kOwnRules, &error), error));
    if (!rules.own_file.empty()) {
        error = nullptr;
        const int added = library->rules_add_file(out->rules_, rules.own_file.c_str(), &error);
        if (auto own = out->add(added, error); !own)
            return own.take_error().context("api.firewall_rules");
    }
    if (auto core = out->add_core(rules.core_directory); !core)
        return core.take_error().context("api.firewall_core_rules");
    return std::shared_ptr<const RuleSet>(std::move(out));
}

std::vector<std::int64_t> RuleSet::judge(const Sample& sample) const {
    Transaction* const transaction = library_.new_transaction(library_.engine, rules_, nullptr);
    std::vector<std::int64_t> out;
    if (is_attack(library_, transaction, sample)) {
        out = matched_rules(*transaction);
        // The one that says that there are enough of the others.
        std::erase_if(out, [](std::int64_t rule) { return rule / 1000 == 949; });
        if (out.empty()) out.push_back(kUnnamedRule);
    }
    library_.transaction_cleanup(transaction);
    return out;
}

}  // namespace zona::net::detail

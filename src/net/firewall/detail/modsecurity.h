// libmodsecurity, opened while the program runs: it brings fifteen libraries with it, which a
// daemon without a firewall does not need.
#pragma once

#include <cstddef>

#include "core/result.h"

// Its headers are no C++23 (matched_rules.cpp reads them).
namespace modsecurity {
class ModSecurity;
class RulesSet;
class Transaction;
struct ModSecurityIntervention_t;
}  // namespace modsecurity

namespace zona::net::detail {

/// The functions that are used, by their own names without "msc_".
struct ModSecurityLibrary {
    using Engine = modsecurity::ModSecurity;
    using Rules = modsecurity::RulesSet;
    using Transaction = modsecurity::Transaction;

    Engine* (*init)();
    const char* (*who_am_i)(Engine*);
    void (*set_log_cb)(Engine*, void (*)(void*, const void*));
    Rules* (*create_rules_set)();
    int (*rules_add)(Rules*, const char* text, const char** error);
    int (*rules_add_file)(Rules*, const char* file, const char** error);
    int (*rules_cleanup)(Rules*);
    Transaction* (*new_transaction)(Engine*, Rules*, void* log);
    int (*process_connection)(Transaction*, const char* client, int client_port, const char* server,
                              int server_port);
    int (*process_uri)(Transaction*, const char* uri, const char* method, const char* version);
    int (*add_n_request_header)(Transaction*, const unsigned char* name, std::size_t name_size,
                                const unsigned char* value, std::size_t value_size);
    int (*process_request_headers)(Transaction*);
    int (*append_request_body)(Transaction*, const unsigned char* bytes, std::size_t size);
    int (*process_request_body)(Transaction*);
    int (*intervention)(Transaction*, modsecurity::ModSecurityIntervention_t*);
    void (*transaction_cleanup)(Transaction*);

    modsecurity::ModSecurity* engine;  ///< one for all; never ended

    /// Opens it once; stays open. One that cannot be opened is tried again. Errors: kUnsupported.
    static core::Result<const ModSecurityLibrary*> open();
};

}  // namespace zona::net::detail

/// @file
/// The server that tests of the MongoDB backend speak to: ZONA_TEST_MONGO_URI, else a `mongod` on
/// PATH, else FerretDB where scripts/install-deps put it. It is started once for a test program, on
/// a unix socket or a free port, and ends with it.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "store/mongo/detail/client.h"
#include "store/mongo_database.h"

namespace zona::store {

class MongoServer {
  public:
    /// That of this program.
    static MongoServer& shared();
    /// A FerretDB of its own, to be killed and started again. Its data stays until it dies.
    static std::unique_ptr<MongoServer> own_ferretdb();
    /// The same, and who connects needs a user that set_user() has made.
    static std::unique_ptr<MongoServer> ferretdb_with_users();
    ~MongoServer();
    MongoServer(const MongoServer&) = delete;
    MongoServer& operator=(const MongoServer&) = delete;

    /// Empty: there is none, and why_not() says why.
    const std::string& uri() const { return uri_; }
    const std::string& why_not() const { return why_not_; }

    void kill();
    void start_again();
    /// A user who may do all, or another password of this one.
    void set_user(const std::string& name, const std::string& password) const;
    /// Who is connected as this user stays so.
    void drop_user(const std::string& name) const;

    /// A database that no other test uses; it is dropped with the last DroppedDatabase of its name.
    static std::string new_database_name();
    void drop(const std::string& database) const;
    /// For its own commands; the factory outlives it.
    std::unique_ptr<mongo::ClientFactory> factory(const std::string& database) const;
    MongoOptions options(const std::string& database) const;

  private:
    MongoServer();
    struct Process;
    void use_ferretdb(const std::vector<std::string>& more = {});
    bool use_mongod();
    std::string uri_;
    std::string why_not_;
    std::string username_;  ///< of ours; empty: none is needed
    std::unique_ptr<Process> process_;
};

}  // namespace zona::store

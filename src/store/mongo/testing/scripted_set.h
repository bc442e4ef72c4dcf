/// @file
/// ScriptedSet: a replica set of two members that does what a test says, or a server on its own. It
/// speaks enough of MongoDB's protocol for the unmodified driver: handshakes, retryable writes,
/// transactions, and documents by `_id` or by ranges of texts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "store/mongo/detail/bson.h"

namespace zona::store {

/// What happens to the next command of a name.
enum class Fault : std::uint8_t {
    kCutBefore,      ///< the connection ends, nothing was done
    kCutAfter,       ///< it was done, and no answer comes
    kNotPrimary,     ///< refused, and the other member is primary from now on
    kTransient,      ///< refused with TransientTransactionError
    kUnknownCommit,  ///< it was done, and the answer is UnknownTransactionCommitResult
};

/// What it is for the driver; a standalone is the first member, and has no transactions.
enum class Topology : std::uint8_t { kReplicaSet, kStandalone };

class ScriptedSet {
  public:
    explicit ScriptedSet(Topology topology = Topology::kReplicaSet);
    ~ScriptedSet();
    ScriptedSet(const ScriptedSet&) = delete;
    ScriptedSet& operator=(const ScriptedSet&) = delete;

    std::string uri() const;
    /// Faults of one command come in the order in which they were added.
    void add(const std::string& command, Fault fault);
    /// Nobody is primary from now on.
    void lose_primary();

    /// How often a command came.
    int count(const std::string& command) const;
    /// How often one came to the member that is not primary, and was answered there.
    int answered_by_secondary(const std::string& command) const;
    int faults_left() const;
    /// The document, if it was stored.
    std::optional<mongo::Bson> stored(const std::string& collection, const std::string& key) const;

  private:
    using Documents = std::map<std::pair<std::string, std::string>, mongo::Bson>;
    struct Member {
        int listening = -1;
        int port = 0;
        std::thread thread;
    };
    void serve(std::size_t member);
    void talk(std::size_t member, int fd);
    bool answer(std::size_t member, const mongo::Bson& command, mongo::Bson& reply);
    mongo::Bson hello(std::size_t member) const;
    mongo::Bson execute(const std::string& name, const mongo::Bson& command);
    mongo::Bson in_transaction(const std::string& name, const mongo::Bson& command);
    mongo::Bson change(const std::string& name, const mongo::Bson& command);
    mongo::Bson find(const mongo::Bson& command) const;
    static std::string address(const Member& member);

    const Topology topology_;
    std::vector<Member> members_;
    mutable std::mutex mutex_;
    // All guarded by mutex_.
    std::size_t primary_ = 0;
    Documents documents_;
    std::map<std::string, std::vector<Fault>> faults_;
    std::map<std::string, int> counts_;
    std::map<std::string, int> by_secondary_;
    std::map<std::string, mongo::Bson> replies_;  // of retryable writes
    std::map<std::string, std::vector<std::pair<std::string, mongo::Bson>>>
        pending_;  // of transactions
    std::set<int> connections_;
    std::vector<std::thread> talks_;
    bool stop_ = false;
};

}  // namespace zona::store

/// @file
/// Session: Reader and Writer over one client, for one call of one function.
///
/// What the function changes stays here until it has ended well: reads see it laid over what the
/// server has, and commit.h takes it to the server. So a step that is refused changes nothing,
/// which no transaction of the server's could do: there an error ends it.
///
/// In the first call of a function a new document is *assumed* to be new, and its unique values to
/// be free, which saves a question to the server for each. If the server says otherwise in the end,
/// the function is called again with a session that asks.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"
#include "store/database.h"
#include "store/detail/plan.h"
#include "store/mongo/detail/client.h"
#include "store/mongo/detail/scan.h"
#include "store/mongo/detail/storage_sums.h"
#include "store/mongo/detail/stored.h"

namespace zona::store::mongo {

/// What all sessions of one database share; immutable.
struct SessionSetup {
    std::vector<const CollectionSpec*> collections;
    core::Secret page_token_key;
    std::size_t max_examined = 0;
    const core::Clock* clock = nullptr;
    core::Logger log;
    bool transactions = false;  ///< the server has them
    bool primary_reads = true;  ///< readers ask the primary, and see one state
};

/// Whether a session asks the server before it takes a document for new.
enum class Care : std::uint8_t { kAssumes, kAsks };
/// What it is used as.
enum class Use : std::uint8_t { kRead, kWrite };

/// What becomes of one document.
struct Change {
    const CollectionSpec* spec = nullptr;
    std::string key;
    Scope scope = Scope::core();
    std::size_t order = 0;        ///< among the changes of a session
    std::string base_tag;         ///< of what is replaced or removed; empty: there is nothing
    std::int64_t base_bytes = 0;  ///< of its text
    std::optional<Record> now;    ///< none: it is removed
    std::int64_t bytes = 0;       ///< of its text

    /// By how much it changes what the scope's documents take.
    Amount amount() const;
};

/// What is written of a change that leaves a document.
Bson stored_form(const Change& change, std::string_view tag);

class Session final : public Writer {
  public:
    /// All outlive it.
    Session(Client& client, const SessionSetup& setup, StorageSums& sums, Use use, Care care)
        : client_(client), setup_(setup), sums_(sums), use_(use), care_(care) {}

    core::Result<std::optional<Record>> find(const Collection& collection, const Id& id) override;
    core::Result<std::optional<Record>> find_one(const Collection& collection,
                                                 const Query& query) override;
    core::Result<Page> find_page(const Collection& collection, const Query& query,
                                 const PageRequest& page) override;
    core::Result<std::uint64_t> count(const Collection& collection, const Query& query) override;
    core::Result<std::vector<Group>> aggregate(const Collection& collection,
                                               const Aggregation& aggregation) override;
    core::Result<StorageUse> storage_use(const Scope& scope) override;

    core::Result<Record> insert(const Collection& collection, const Id& id,
                                const Document& document) override;
    core::Result<Record> upsert(const Collection& collection, const Id& id,
                                const Document& document) override;
    core::Result<Record> replace(const Collection& collection, const Id& id,
                                 const Document& document, Expected expected) override;
    core::Result<void> restore(const Collection& collection, const Record& record) override;
    core::Result<Record> modify(const Collection& collection, const Id& id, const Update& update,
                                Expected expected) override;
    core::Result<std::optional<Record>> find_and_modify(const Collection& collection,
                                                        const Query& query, const Update& update,
                                                        Returned returned) override;
    core::Result<std::uint64_t> update_many(const Collection& collection, const Query& query,
                                            const Update& update) override;
    core::Result<bool> remove(const Collection& collection, const Id& id,
                              Expected expected) override;
    core::Result<std::uint64_t> remove_many(const Collection& collection,
                                            const Query& query) override;

    /// Those that have an effect, in the order in which they were begun.
    std::vector<Change> take_changes();
    /// Whether something was taken for granted.
    bool has_assumed() const { return assumed_; }
    /// Whether that is to be asked for though nothing of it goes to the server.
    bool must_ask() const { return must_ask_; }
    /// The first failure of the server's that calling the function again may cure.
    const Failure& failure() const { return failure_; }

  private:
    using Changes = std::map<std::pair<const CollectionSpec*, std::string>, Change>;
    struct Base {
        std::string tag;
        std::int64_t bytes = 0;
    };
    using Visit = std::function<core::Result<bool>(Record)>;

    core::Result<void> begin();
    template <class T>
    core::Result<T> noted(core::Result<T> result);
    core::SystemTime now() const;

    void note_base(const Collection& collection, const Stored& stored);
    core::Result<std::optional<Record>> next(Scan& scan, const Collection& collection);
    core::Result<std::optional<Record>> current(const Collection& collection, const Id& id);
    core::Result<Record> existing(const Collection& collection, const Id& id,
                                  const Expected& expected);
    core::Result<std::optional<Record>> first(const Collection& collection, const Query& query);
    core::Result<void> scan(const Collection& collection, const Filter& filter, const Plan& plan,
                            const Visit& visit);
    core::Result<std::uint64_t> count_there(const Collection& collection, const Plan& plan);
    core::Result<std::vector<Record>> all_of(const Collection& collection, const Query& query);
    core::Result<void> for_all(const std::vector<Record>& records,
                               const std::function<core::Result<void>(const Record&)>& change);

    core::Result<Record> change(const Collection& collection, Record found,
                                const Document& document);
    core::Result<Record> change(const Collection& collection, const Record& found,
                                const Update& update);
    core::Result<void> check_unique(const Collection& collection, const std::string& key,
                                    const Record& record, const Record* before);
    core::Result<bool> is_taken(const Collection& collection, const IndexSpec& index,
                                const std::string& index_key, const std::string& key);
    Change& change_of(const Collection& collection, const Id& id);
    void erase(const Collection& collection, const Record& record);

    Client& client_;
    const SessionSetup& setup_;
    StorageSums& sums_;
    const Use use_;
    const Care care_;
    Changes changes_;
    /// What was read first of each document that may be changed.
    std::map<std::pair<const CollectionSpec*, std::string>, Base> bases_;
    bool assumed_ = false;
    bool must_ask_ = false;
    Failure failure_;
};

}  // namespace zona::store::mongo

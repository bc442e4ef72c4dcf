/// @file
/// Database: one database of documents, whatever keeps it; Reader and Writer: what can be done
/// within one consistent view of it.
///
/// Work is given to the database as a function, which runs on one of its own threads with a Reader
/// or Writer and answers through a callback. So nothing of a request's thread waits for a disk,
/// many writes are committed together, and a transaction is nothing but a function that does
/// several things. docs/adr/0007-document-store.md says why it is so. store::read() and
/// store::write() below are the way in.
///
///     store::write(database, [tasks](Writer& w) -> core::Result<Record> {
///         ZONA_TRY(const auto number, next_number(w, counters, "tasks"));
///         return w.insert(tasks, number, document);
///     }, [](core::Result<Record> stored) { ... });
///
/// Guarantees: what was acknowledged survives the death of the process and of the host; a
/// function's changes are seen all or none; a Reader sees one state from begin to end, with
/// everything that was acknowledged before it was asked for; a record whose stamp is not the scope
/// of its handle is refused as kForbidden and reported in the log. Source: TEN-32, TEN-33, DATA-42,
/// REL-16.
///
/// Errors of all operations, besides their own:
///     kInvalidArgument    a collection that the database was not opened with; a query that no
///                         index serves, too many conditions
///     kForbidden          a record of another scope came back
///     kTooLarge           more documents to look at than the database allows for one operation
///     kResourceExhausted  the disk is full: nothing was changed, reads go on, a later write may do
///     kInternal           the database is damaged: the message says what to do
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/result.h"
#include "store/collection.h"
#include "store/query.h"
#include "store/update.h"
#include "store/value.h"

namespace zona::store {

/// Takes an answer; called once. What it does must be short: others wait for its thread.
template <class T>
using Callback = std::move_only_function<void(core::Result<T>)>;

/// The version that a record must have; none: any.
using Expected = std::optional<std::int64_t>;
/// Which state of a document is given back.
enum class Returned : std::uint8_t { kBefore, kAfter };

/// How much a scope's documents take: the bytes of their text, and kDocumentBytes for each, which
/// is what its row and its places in indexes take at least.
struct StorageUse {
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;
    bool operator==(const StorageUse&) const = default;
};
/// What one document counts besides its text.
inline constexpr std::uint64_t kDocumentBytes = 128;
/// So many documents with so many bytes of text.
constexpr StorageUse use_of(std::uint64_t documents, std::uint64_t text) {
    return {.documents = documents, .bytes = text + (documents * kDocumentBytes)};
}

/// Reads one state of the database. Only within the function it was given to, on its thread.
class Reader {
  public:
    Reader() = default;
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    virtual ~Reader() = default;

    /// The record with this id, if the scope has one.
    virtual core::Result<std::optional<Record>> find(const Collection& collection,
                                                     const Id& id) = 0;
    /// The first record in the query's order.
    virtual core::Result<std::optional<Record>> find_one(const Collection& collection,
                                                         const Query& query) = 0;
    /// A part of the answer. Pages do not shift when documents before them come or go.
    /// Errors  kInvalidArgument: the limit; a token that this database did not make for this query,
    ///         collection and scope, or that somebody changed.
    virtual core::Result<Page> find_page(const Collection& collection, const Query& query,
                                         const PageRequest& page) = 0;
    /// How many documents meet the query's filter; its order does not matter. Where an index gives
    /// the answer by itself no record is looked at, so no stamp either.
    virtual core::Result<std::uint64_t> count(const Collection& collection, const Query& query) = 0;
    /// Numbers over documents, groups in the order of their keys, one without a key first. Where
    /// indexes hold all that it takes a backend may leave it to its server, as with count().
    /// Errors  kInvalidArgument: group_by is in no index, a measure without path, a sum over 64
    ///         bits. kTooLarge: more groups than max_groups.
    virtual core::Result<std::vector<Group>> aggregate(const Collection& collection,
                                                       const Aggregation& aggregation) = 0;
    /// What the scope's documents take in all collections that are counted; a Writer's with what it
    /// has changed. It is kept, so it is as cheap as finding a document. In MongoDB it is a sum
    /// that is taken now and then: whoever asks at such a moment waits for it, and what other
    /// processes have written since the last one, an hour at most, is not in it.
    virtual core::Result<StorageUse> storage_use(const Scope& scope) = 0;
    /// The index that has served the last query by conditions that did not fail; null: there was
    /// none. For metrics.
    const IndexSpec* served_by() const { return served_by_; }

  protected:
    /// What a backend says with each plan; `index` is one of the declaration, or null.
    void was_served_by(const IndexSpec* index) { served_by_ = index; }

  private:
    const IndexSpec* served_by_ = nullptr;
};

/// Reads and changes. Each member changes all that it should or nothing; what the function did
/// before stays until it returns an error itself, which undoes all of it. Reads see what the
/// function has changed.
///
/// Errors of all writes: those of check_document() (collection.h); kConflict, naming the index,
/// when another document has the same values in a unique one. The version in the messages of a
/// conflict is the stored one.
class Writer : public Reader {
  public:
    /// Errors  kConflict: the id exists. kInvalidArgument: an id of no or too many bytes.
    virtual core::Result<Record> insert(const Collection& collection, const Id& id,
                                        const Document& document) = 0;
    /// Replaces what is there, or inserts.
    virtual core::Result<Record> upsert(const Collection& collection, const Id& id,
                                        const Document& document) = 0;
    /// Errors  kNotFound: no such id. kConflict: another version than expected.
    virtual core::Result<Record> replace(const Collection& collection, const Id& id,
                                         const Document& document, Expected expected = {}) = 0;
    /// Stores a record as it is: with its id, version and moments, in place of what is there. For
    /// what was read from this or another database: backups, moves. Its scope is the handle's,
    /// whatever the record says. Errors: those of insert() but kConflict of the id;
    /// kInvalidArgument: a version below 1; kUnsupported: a backend that cannot.
    virtual core::Result<void> restore(const Collection& collection, const Record& record);
    /// Gives the changed record. Errors: those of replace() and Update::apply().
    virtual core::Result<Record> modify(const Collection& collection, const Id& id,
                                        const Update& update, Expected expected = {}) = 0;
    /// Changes the first record in the query's order and gives it as it was or is; none when there
    /// is none.
    virtual core::Result<std::optional<Record>> find_and_modify(const Collection& collection,
                                                                const Query& query,
                                                                const Update& update,
                                                                Returned returned) = 0;
    /// Changes every document that meets the filter, and says how many.
    virtual core::Result<std::uint64_t> update_many(const Collection& collection,
                                                    const Query& query, const Update& update) = 0;
    /// False: there is no such id. Errors  kConflict: another version than expected.
    virtual core::Result<bool> remove(const Collection& collection, const Id& id,
                                      Expected expected = {}) = 0;
    /// Removes every document that meets the filter, and says how many.
    virtual core::Result<std::uint64_t> remove_many(const Collection& collection,
                                                    const Query& query) = 0;
};

/// What a database is doing, and what it has done since it was opened.
struct DatabaseLoad {
    std::size_t connections = 0;     ///< that it has open
    std::size_t reading = 0;         ///< functions with a Reader that run
    std::size_t writing = 0;         ///< functions with a Writer that run, or wait for their commit
    std::size_t waiting_reads = 0;   ///< functions with a Reader in the queue
    std::size_t waiting_writes = 0;  ///< functions with a Writer in the queue
    std::uint64_t committed = 0;     ///< functions with a Writer that were kept
    std::uint64_t failed = 0;        ///< functions with a Writer that were not
    std::uint64_t commits = 0;       ///< made for them; one may keep many functions' changes
    std::uint64_t repeated = 0;      ///< times that a function was called again
};

/// One database. All members from any thread.
class Database {
  public:
    /// Called once with a Reader, or with the error that kept it from being made.
    using ReadWork = std::move_only_function<void(core::Result<Reader*>)>;
    /// A transaction: an error undoes it. A backend may call it again when the server asks for a
    /// retry, so it must not consume what it needs nor have other effects.
    using WriteWork = std::move_only_function<core::Result<void>(Writer&)>;

    Database() = default;
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    /// Answers everything that was submitted first; what answers submit then is refused. Not on a
    /// thread of the database's own.
    virtual ~Database() = default;

    /// Runs `work` on a thread for reading.
    /// Errors given to it: kTooManyRequests when too many wait already, kCancelled when the
    /// database is being closed; both on the caller's thread, before this returns.
    virtual void submit_read(ReadWork work) = 0;

    /// Runs `work` as one transaction and calls `done` when it is on the disk, or with the error
    /// of the work, of the commit, or kTooManyRequests or kCancelled as above.
    virtual void submit_write(WriteWork work, Callback<void> done) = 0;

    /// For metrics; not of one moment. Waits for nothing that takes long.
    virtual DatabaseLoad load() const = 0;
};

/// The T of a Result<T> that `Body` gives for an `Argument&`.
template <class Body, class Argument>
using AnswerOf = typename std::invoke_result_t<Body&, Argument&>::value_type;

/// Runs `body(Reader&) -> Result<T>` and gives its answer to `done`, on the same thread.
template <class Body>
void read(Database& database, Body body, Callback<AnswerOf<Body, Reader>> done) {
    database.submit_read(
        [body = std::move(body), done = std::move(done)](core::Result<Reader*> reader) mutable {
            if (!reader.has_value()) {
                done(reader.take_error());
                return;
            }
            done(body(**reader));
        });
}

/// Runs `body(Writer&) -> Result<T>` as one transaction; `done` gets its answer when it is durable.
template <class Body>
void write(Database& database, Body body, Callback<AnswerOf<Body, Writer>> done) {
    using Answer = std::invoke_result_t<Body&, Writer&>;
    // Owned by the work and by the callback, which may run on different threads, one after the
    // other.
    auto answer = std::make_shared<std::optional<Answer>>();
    database.submit_write(
        [body = std::move(body), answer](Writer& writer) mutable -> core::Result<void> {
            answer->emplace(body(writer));
            if (!(*answer)->has_value()) return (*answer)->error();
            return {};
        },
        [done = std::move(done), answer](core::Result<void> committed) mutable {
            if (!committed.has_value()) {
                done(committed.take_error());
                return;
            }
            done(std::move(**answer));
        });
}

}  // namespace zona::store

#include "tenancy/operations/document_copy.h"

#include <compare>
#include <utility>

#include <fmt/format.h>

#include "core/fault.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "store/blocking.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

/// Of one transaction: others wait for it.
constexpr std::size_t kBatch = 500;

store::Query everything() {
    return {.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
}

}  // namespace

Result<void> for_each_record(Reader& reader, const Collection& collection,
                             const std::function<Result<void>(const Record&)>& visit) {
    store::PageRequest request{.limit = store::kMaxPageSize, .token = {}};
    do {
        ZONA_TRY(store::Page page, reader.find_page(collection, everything(), request));
        for (const Record& record : page.records)
            ZONA_TRY_VOID(visit(record));
        request.token = std::move(page.next);
    } while (!request.token.empty());
    return {};
}

Result<std::vector<CollectionSum>> sum_up(Reader& reader, const Specs& specs,
                                          const store::Scope& scope,
                                          const DocumentProgress& progress) {
    std::vector<CollectionSum> out;
    crypto::Sha256 hash;
    std::uint64_t done = 0;
    for (const store::CollectionSpec* spec : specs) {
        CollectionSum sum{.name = spec->name, .documents = 0, .sha256 = {}};
        const auto add = [&](const Record& record) -> Result<void> {
            hash.add(encode_record(record));
            ++sum.documents;
            return progress ? progress(++done) : Result<void>();
        };
        ZONA_TRY_VOID(for_each_record(reader, Collection(*spec, scope), add));
        sum.sha256 = crypto::hex(hash.finish());
        out.push_back(std::move(sum));
    }
    return out;
}

Result<std::uint64_t> count_all(Reader& reader, const Specs& specs, const store::Scope& scope) {
    std::uint64_t out = 0;
    for (const store::CollectionSpec* spec : specs) {
        ZONA_TRY(const std::uint64_t some, reader.count(Collection(*spec, scope), everything()));
        out += some;
    }
    return out;
}

Result<void> remove_all(Writer& writer, const Collection& collection) {
    for (;;) {
        ZONA_TRY(const store::Page page,
                 writer.find_page(collection, everything(), {.limit = kBatch, .token = {}}));
        for (const Record& record : page.records)
            ZONA_TRY_VOID(writer.remove(collection, record.id));
        if (page.next.empty()) return {};
    }
}

Result<void> remove_all(store::Database& database, const Specs& specs, const store::Scope& scope,
                        const DocumentProgress& progress) {
    std::uint64_t done = 0;
    for (const store::CollectionSpec* spec : specs) {
        const Collection collection(*spec, scope);
        for (bool more = true; more;) {
            ZONA_TRY(const std::size_t removed,
                     store::write_and_wait(database, [&](Writer& w) -> Result<std::size_t> {
                         ZONA_TRY(
                             const store::Page page,
                             w.find_page(collection, everything(), {.limit = kBatch, .token = {}}));
                         for (const Record& record : page.records)
                             ZONA_TRY_VOID(w.remove(collection, record.id));
                         return page.records.size();
                     }));
            ZONA_FAULT("tenancy.some_removed");
            more = removed != 0;
            done += removed;
            if (progress) ZONA_TRY_VOID(progress(done));
        }
    }
    return {};
}

Result<void> RecordSink::add(const store::CollectionSpec& spec, const Record& record) {
    waiting_.push_back({.spec = &spec, .record = record});
    return waiting_.size() < kBatch ? Result<void>() : flush();
}

Result<void> RecordSink::flush() {
    if (waiting_.empty()) return {};
    auto stored = store::write_and_wait(database_, [this](Writer& w) -> Result<int> {
        for (const Waiting& one : waiting_)
            ZONA_TRY_VOID(w.restore(Collection(*one.spec, scope_), one.record));
        return 0;
    });
    waiting_.clear();
    ZONA_FAULT("tenancy.some_stored");
    if (!stored) return stored.take_error();
    return {};
}

namespace {

/// The records of a collection, one after the other, in the order that all databases have.
class Walk {
  public:
    Walk(store::Database& database, Collection collection)
        : database_(database), collection_(std::move(collection)) {}

    /// Where it stands; null at the end.
    Result<const Record*> present() {
        while (at_ == page_.records.size()) {
            if (begun_ && page_.next.empty()) return static_cast<const Record*>(nullptr);
            const store::PageRequest request{.limit = kBatch, .token = std::move(page_.next)};
            ZONA_TRY(page_, store::read_and_wait(database_, [&](Reader& r) {
                         return r.find_page(collection_, everything(), request);
                     }));
            at_ = 0;
            begun_ = true;
        }
        return &page_.records[at_];
    }
    void next() { ++at_; }

  private:
    store::Database& database_;
    const Collection collection_;
    store::Page page_;
    std::size_t at_ = 0;
    bool begun_ = false;
};

/// One collection of follow_documents().
class Follower {
  public:
    Follower(store::Database& from, store::Database& to, const store::CollectionSpec& spec,
             const store::Scope& scope)
        : from_(from), to_(to), spec_(spec), collection_(spec, scope), sink_(to, scope) {}

    Result<Followed> run(const DocumentProgress& progress, std::uint64_t before) {
        Walk there(from_, collection_);
        Walk copied(to_, collection_);
        for (;;) {
            ZONA_TRY(const Record* const wanted, there.present());
            ZONA_TRY(const Record* const found, copied.present());
            if (wanted == nullptr && found == nullptr) break;
            const auto order = compare(wanted, found);
            if (order > 0) {
                ZONA_TRY_VOID(too_much(found->id));
                copied.next();
                continue;
            }
            if (order < 0 || encode_record(*wanted) != encode_record(*found)) {
                ZONA_TRY_VOID(sink_.add(spec_, *wanted));
                ++done_.changed;
            }
            ++done_.documents;
            there.next();
            if (order == 0) copied.next();
            if (progress) ZONA_TRY_VOID(progress(before + done_.documents));
        }
        ZONA_TRY_VOID(sink_.flush());
        ZONA_TRY_VOID(remove_waiting());
        return done_;
    }

  private:
    static std::strong_ordering compare(const Record* a, const Record* b) {
        if (a == nullptr || b == nullptr)
            return a == nullptr ? std::strong_ordering::greater : std::strong_ordering::less;
        if (const auto order = a->created <=> b->created; order != 0) return order;
        return a->id <=> b->id;
    }
    Result<void> too_much(const store::Id& id) {
        gone_.push_back(id);
        return gone_.size() < kBatch ? Result<void>() : remove_waiting();
    }
    /// But for what is there after all: made anew under the same id, say.
    Result<void> remove_waiting() {
        if (gone_.empty()) return {};
        ZONA_TRY(const auto gone,
                 store::read_and_wait(from_, [this](Reader& r) { return without_those_in(r); }));
        gone_.clear();
        ZONA_TRY_VOID(store::write_and_wait(to_, [&](Writer& w) -> Result<int> {
            for (const store::Id& id : gone)
                ZONA_TRY_VOID(w.remove(collection_, id));
            return 0;
        }));
        done_.changed += gone.size();
        return {};
    }
    Result<std::vector<store::Id>> without_those_in(Reader& reader) const {
        std::vector<store::Id> out;
        for (const store::Id& id : gone_) {
            ZONA_TRY(const auto there, reader.find(collection_, id));
            if (!there) out.push_back(id);
        }
        return out;
    }

    store::Database& from_;
    store::Database& to_;
    const store::CollectionSpec& spec_;
    const Collection collection_;
    RecordSink sink_;
    std::vector<store::Id> gone_;
    Followed done_;
};

}  // namespace

Result<Followed> follow_documents(store::Database& from, store::Database& to, const Specs& specs,
                                  const store::Scope& scope, const DocumentProgress& progress) {
    Followed all;
    for (const store::CollectionSpec* spec : specs) {
        auto done = Follower(from, to, *spec, scope).run(progress, all.documents);
        if (!done && done.error().code() == Code::kConflict) {
            // A unique value went from one document to another: in the copy both would have it.
            ZONA_TRY_VOID(remove_all(to, {spec}, scope, {}));
            done = Follower(from, to, *spec, scope).run(progress, all.documents);
        }
        if (!done) return done.take_error();
        all.documents += done->documents;
        all.changed += done->changed;
    }
    return all;
}

Result<std::vector<CollectionSum>> copy_documents(store::Database& from, store::Database& to,
                                                  const Specs& specs, const store::Scope& scope,
                                                  const DocumentProgress& progress) {
    ZONA_TRY_VOID(follow_documents(from, to, specs, scope, progress));
    const auto sums = [&](Reader& r) { return sum_up(r, specs, scope, {}); };
    ZONA_TRY(const auto there, store::read_and_wait(from, sums));
    ZONA_TRY(auto copied, store::read_and_wait(to, sums));
    for (std::size_t i = 0; i < there.size(); ++i) {
        if (there[i] == copied[i]) continue;
        return Error(Code::kConflict,
                     fmt::format("the copy of {} has {} documents with SHA-256 {}, and the "
                                 "original has {} with {}",
                                 there[i].name, copied[i].documents, copied[i].sha256,
                                 there[i].documents, there[i].sha256));
    }
    return copied;
}

}  // namespace zona::tenancy

#include "tenancy/document_copy.h"

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

Result<std::vector<CollectionSum>> copy_documents(store::Database& from, store::Database& to,
                                                  const Specs& specs, const store::Scope& scope,
                                                  const DocumentProgress& progress) {
    RecordSink sink(to, scope);
    std::uint64_t done = 0;
    // Page by page, so that neither side is held for long.
    for (const store::CollectionSpec* spec : specs) {
        store::PageRequest request{.limit = kBatch, .token = {}};
        do {
            ZONA_TRY(store::Page page, store::read_and_wait(from, [&](Reader& r) {
                         return r.find_page(Collection(*spec, scope), everything(), request);
                     }));
            for (const Record& record : page.records)
                ZONA_TRY_VOID(sink.add(*spec, record));
            done += page.records.size();
            if (progress) ZONA_TRY_VOID(progress(done));
            request.token = std::move(page.next);
        } while (!request.token.empty());
    }
    ZONA_TRY_VOID(sink.flush());
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

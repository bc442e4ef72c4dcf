/// @file
/// Books on one database, with the sealing of flagged fields that is another module's in the
/// product.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "audit/books.h"
#include "store/blocking.h"

namespace zona::audit {

/// Flagged fields are stored behind store::kSealedPrefix and shown without it.
class SealingWriter final : public store::Writer {
  public:
    explicit SealingWriter(store::Writer& inner) : inner_(inner) {}

    static std::shared_ptr<const store::Document> shown(const store::CollectionSpec& spec,
                                                        const store::Document& stored) {
        store::Document out = stored;
        for (const store::FieldSpec& field : spec.fields) {
            auto* value = out.if_contains(field.path.keys().front());
            if (field.protection == store::Protection::kEncrypted && value != nullptr)
                *value = std::string(value->as_string()).substr(store::kSealedPrefix.size());
        }
        return std::make_shared<const store::Document>(std::move(out));
    }
    static store::Document sealed(const store::CollectionSpec& spec, store::Document out) {
        for (const store::FieldSpec& field : spec.fields) {
            auto* value = out.if_contains(field.path.keys().front());
            if (field.protection == store::Protection::kEncrypted && value != nullptr)
                *value = std::string(store::kSealedPrefix) + std::string(value->as_string());
        }
        return out;
    }

    core::Result<std::optional<store::Record>> find(const store::Collection& c,
                                                    const store::Id& id) override {
        ZONA_TRY(auto found, inner_.find(c, id));
        if (found) found->document = shown(c.spec(), *found->document);
        return found;
    }
    core::Result<std::optional<store::Record>> find_one(const store::Collection& c,
                                                        const store::Query& q) override {
        ZONA_TRY(auto found, inner_.find_one(c, q));
        if (found) found->document = shown(c.spec(), *found->document);
        return found;
    }
    core::Result<store::Page> find_page(const store::Collection& c, const store::Query& q,
                                        const store::PageRequest& p) override {
        ZONA_TRY(auto page, inner_.find_page(c, q, p));
        for (store::Record& record : page.records)
            record.document = shown(c.spec(), *record.document);
        return page;
    }
    core::Result<std::uint64_t> count(const store::Collection& c, const store::Query& q) override {
        return inner_.count(c, q);
    }
    core::Result<std::vector<store::Group>> aggregate(const store::Collection& c,
                                                      const store::Aggregation& a) override {
        return inner_.aggregate(c, a);
    }
    core::Result<store::StorageUse> storage_use(const store::Scope& s) override {
        return inner_.storage_use(s);
    }
    core::Result<store::Record> insert(const store::Collection& c, const store::Id& id,
                                       const store::Document& d) override {
        return inner_.insert(c, id, sealed(c.spec(), d));
    }
    core::Result<store::Record> upsert(const store::Collection& c, const store::Id& id,
                                       const store::Document& d) override {
        return inner_.upsert(c, id, sealed(c.spec(), d));
    }
    core::Result<store::Record> replace(const store::Collection& c, const store::Id& id,
                                        const store::Document& d,
                                        store::Expected expected) override {
        return inner_.replace(c, id, sealed(c.spec(), d), expected);
    }
    core::Result<store::Record> modify(const store::Collection& c, const store::Id& id,
                                       const store::Update& u, store::Expected e) override {
        return inner_.modify(c, id, u, e);
    }
    core::Result<std::optional<store::Record>> find_and_modify(const store::Collection& c,
                                                               const store::Query& q,
                                                               const store::Update& u,
                                                               store::Returned r) override {
        return inner_.find_and_modify(c, q, u, r);
    }
    core::Result<std::uint64_t> update_many(const store::Collection& c, const store::Query& q,
                                            const store::Update& u) override {
        return inner_.update_many(c, q, u);
    }
    core::Result<bool> remove(const store::Collection& c, const store::Id& id,
                              store::Expected e) override {
        return inner_.remove(c, id, e);
    }
    core::Result<std::uint64_t> remove_many(const store::Collection& c,
                                            const store::Query& q) override {
        return inner_.remove_many(c, q);
    }

  private:
    store::Writer& inner_;
};

/// One database for the core and all tenants; a scope can be made to fail.
class TestBooks final : public Books {
  public:
    explicit TestBooks(store::Database& database) : database_(database) {}

    core::Result<void> read(const store::Scope& scope, const ReadBody& body) override {
        // A writer's view, for it knows of the sealing; nothing is changed.
        return write(scope, [&body](store::Writer& writer) { return body(writer); });
    }
    core::Result<void> write(const store::Scope& scope, const WriteBody& body) override {
        if (const auto failing = failures.find(scope.code()); failing != failures.end())
            return core::Error(failing->second, "the test says so");
        auto done =
            store::write_and_wait(database_, [&body](store::Writer& writer) -> core::Result<bool> {
                SealingWriter sealing(writer);
                ZONA_TRY_VOID(body(sealing));
                return true;
            });
        if (!done) return done.take_error();
        return {};
    }
    core::Result<std::vector<store::Scope>> scopes() override { return all; }

    std::map<std::string, core::Code> failures;
    std::vector<store::Scope> all{store::Scope::core()};

  private:
    store::Database& database_;
};

}  // namespace zona::audit

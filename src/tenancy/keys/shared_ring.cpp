#include "tenancy/keys/shared_ring.h"

#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "store/blocking.h"
#include "tenancy/core_collections.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using store::Record;

namespace {

constexpr const char* kGeneration = "generation";
constexpr const char* kText = "text";
constexpr const char* kBegunBy = "begun_by";
constexpr std::int64_t kMostLeft = 16;
/// The generation before all others, which has no ring.
constexpr std::int64_t kClaim = 0;

/// Each generation is a document of its own that is inserted, once: that is atomic on every server
/// that speaks the protocol. Of those before the newest only the number stays, so that it is never
/// given again. Before the first one stands who brings a core database along (claim_ring()).
class RingDocuments final : public vault::RingStorage {
  public:
    explicit RingDocuments(std::shared_ptr<store::Database> core) : core_(std::move(core)) {}

    const std::string& name() const override { return name_; }
    bool is_shared() const override { return true; }

    Result<std::optional<Stored>> read() override {
        const store::Query newest{
            .filter = {}, .sort = {kGeneration}, .direction = store::Direction::kDescending};
        auto page = store::read_and_wait(*core_, [&](store::Reader& reader) {
            return reader.find_page(rings_, newest, {.limit = 1, .token = {}});
        });
        if (!page) return page.take_error();
        if (page->records.empty()) return std::optional<Stored>();
        const store::Document& document = *page->records.front().document;
        if (const auto* const by = document.if_contains(kBegunBy)) {
            return Error(Code::kUnavailable,
                         fmt::format("the core database of the host {} is being put there, which "
                                     "is not done",
                                     boost::json::serialize(*by)));
        }
        const boost::json::value* const text = document.if_contains(kText);
        if (text == nullptr || !text->is_string())
            return Error(Code::kConflict, "the newest key ring in the core database is none");
        return std::optional(
            Stored{.text = std::string(text->get_string()),
                   .generation = document.at(kGeneration).to_number<std::int64_t>()});
    }

    Result<bool> is_newer(std::int64_t known) override {
        auto next = store::read_and_wait(
            *core_, [&](store::Reader& reader) { return reader.find(rings_, known + 1); });
        if (!next) return next.take_error();
        return next->has_value();
    }

    Result<std::int64_t> replace(std::int64_t before, const std::string& text, Previous) override {
        const std::int64_t generation = before + 1;
        const boost::json::object document = {{kGeneration, generation}, {kText, text}};
        auto stored = store::write_and_wait(*core_, [&](store::Writer& writer) {
            return writer.insert(rings_, generation, document);
        });
        if (!stored) return stored.take_error();
        if (auto forgotten = forget(before); !forgotten) {
            return std::move(forgotten.take_error())
                .recode(Code::kUnavailable)
                .context("the ring is changed, its former text is still there");
        }
        return generation;
    }

  private:
    /// The text of the one before, and those that changes which were interrupted have left.
    Result<void> forget(std::int64_t before) const {
        // Those that have none are left alone, for other hosts change them at the same moment.
        const store::Query old{
            .filter = store::Filter::all({store::Filter::lte(kGeneration, before),
                                          store::Filter::gt(kGeneration, before - kMostLeft),
                                          store::Filter::exists(kText, store::Exists::kYes)})};
        auto forgotten = store::write_and_wait(*core_, [&](store::Writer& writer) {
            return writer.update_many(rings_, old, store::Update().unset(kText));
        });
        if (!forgotten) return forgotten.take_error();
        return {};
    }

    const std::string name_ = "key_ring of the core database";
    const store::Collection rings_{key_ring_spec(), store::Scope::core()};
    const std::shared_ptr<store::Database> core_;
};

}  // namespace

const store::CollectionSpec& key_ring_spec() {
    static const store::CollectionSpec kSpec{
        .name = "key_ring",
        .fields = {{.path = kGeneration,
                    .type = store::FieldType::kInteger,
                    .presence = store::Presence::kRequired},
                   {.path = kText}},
        .indexes = {{.name = "by_generation",
                     .fields = {{.path = kGeneration, .type = store::FieldType::kInteger}},
                     .uniqueness = store::Uniqueness::kUnique}},
        // Some 200 bytes for each key; MongoDB takes 16 MB.
        .limits = {.max_bytes = core::ByteCount::mib(12)}};
    return kSpec;
}

Result<RingClaim> look_for_claim(store::Database& core) {
    const store::Collection rings(key_ring_spec(), store::Scope::core());
    return store::read_and_wait(core, [&](store::Reader& reader) -> Result<RingClaim> {
        ZONA_TRY(const auto first, reader.find(rings, kClaim));
        ZONA_TRY(const auto newest,
                 reader.find_one(
                     rings, {.sort = {kGeneration}, .direction = store::Direction::kDescending}));
        RingClaim out{.begun_by = {}, .has_ring = newest && newest->id != store::Id(kClaim)};
        const auto* const by = first ? first->document->if_contains(kBegunBy) : nullptr;
        if (by != nullptr && by->is_string()) out.begun_by = by->get_string();
        return out;
    });
}

Result<void> claim_ring(store::Database& core, std::string_view instance) {
    const store::Collection rings(key_ring_spec(), store::Scope::core());
    const boost::json::object document = {{kGeneration, kClaim}, {kBegunBy, instance}};
    auto claimed = store::write_and_wait(
        core, [&](store::Writer& writer) { return writer.insert(rings, kClaim, document); });
    if (!claimed) return claimed.take_error();
    return {};
}

std::unique_ptr<vault::RingStorage> ring_in(std::shared_ptr<store::Database> core) {
    return std::make_unique<RingDocuments>(std::move(core));
}

Result<std::unique_ptr<vault::RingStorage>> open_shared_ring(store::MongoOptions core,
                                                             const core::Clock& clock,
                                                             const core::Logger& log) {
    core.collections = core_collections();
    core.min_connections = 0;
    core.max_connections = 1;
    core.read_preference = store::ReadPreference::kPrimary;
    ZONA_TRY(std::shared_ptr<store::Database> database, store::open_mongo(core, clock, log));
    return ring_in(std::move(database));
}

}  // namespace zona::tenancy

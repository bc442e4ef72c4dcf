#include "audit/collections.h"

#include <algorithm>
#include <iterator>

namespace zona::audit {

using store::Accounting;
using store::CollectionSpec;
using store::Coverage;
using store::FieldSpec;
using store::FieldType;
using store::IndexSpec;
using store::Presence;

namespace {

FieldSpec required(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type, .presence = Presence::kRequired};
}

FieldSpec optional(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type};
}

/// The newest of one value: what is asked for most.
IndexSpec by(const char* key) {
    return {.name = std::string("by_") + key,
            .fields = {{.path = key}, {.path = "timestamp", .type = FieldType::kInteger}}};
}

}  // namespace

const CollectionSpec& audit_log_spec() {
    static const CollectionSpec kSpec{
        .name = "audit_log",
        .fields = {required("seq", FieldType::kInteger),
                   required("previous"),
                   required("hash"),
                   required("id"),
                   required("timestamp", FieldType::kInteger),
                   required("category"),
                   required("outcome"),
                   required("actor"),
                   required("action"),
                   required("resource"),
                   required("tenantcode"),
                   optional("userid", FieldType::kInteger),
                   optional("details"),
                   optional("correlation"),
                   optional("person"),
                   optional("subject"),
                   optional("data"),
                   optional("before", FieldType::kObject),
                   optional("after", FieldType::kObject),
                   optional("context", FieldType::kObject)},
        .indexes = {{.name = "by_seq",
                     .fields = {{.path = "seq", .type = FieldType::kInteger}},
                     .uniqueness = store::Uniqueness::kUnique},
                    {.name = "by_time",
                     .fields = {{.path = "timestamp", .type = FieldType::kInteger}}},
                    by("actor"),
                    by("action"),
                    by("resource"),
                    by("category"),
                    {.name = "by_subject",
                     .fields = {{.path = "subject"},
                                {.path = "timestamp", .type = FieldType::kInteger}},
                     .coverage = Coverage::kSparse}},
        .accounting = Accounting::kFree};
    return kSpec;
}

const CollectionSpec& audit_pending_spec() {
    static const CollectionSpec kSpec{
        .name = "audit_pending",
        .fields = {required("id"), required("timestamp", FieldType::kInteger)},
        .indexes = {{.name = "by_created"}},
        .accounting = Accounting::kFree};
    return kSpec;
}

const CollectionSpec& audit_chain_spec() {
    static const CollectionSpec kSpec{
        .name = "audit_chain",
        .fields = {optional("seq", FieldType::kInteger), optional("hash"),
                   optional("timestamp", FieldType::kInteger),
                   optional("archived", FieldType::kInteger), optional("archived_hash"),
                   optional("number", FieldType::kInteger)},
        .indexes = {{.name = "by_created"}},
        .accounting = Accounting::kFree};
    return kSpec;
}

const CollectionSpec& audit_subjects_spec() {
    static const CollectionSpec kSpec{
        .name = "audit_subjects",
        .fields = {required("number", FieldType::kInteger),
                   {.path = "key", .protection = store::Protection::kEncrypted},
                   optional("erased_at", FieldType::kInteger)},
        .indexes = {{.name = "by_created"}},
        .accounting = Accounting::kFree};
    return kSpec;
}

const CollectionSpec& audit_heads_spec() {
    static const CollectionSpec kSpec{
        .name = "audit_heads",
        .fields = {required("seq", FieldType::kInteger), required("hash"),
                   required("timestamp", FieldType::kInteger), required("key"),
                   required("signature")},
        .indexes = {{.name = "by_seq", .fields = {{.path = "seq", .type = FieldType::kInteger}}}},
        .accounting = Accounting::kFree};
    return kSpec;
}

const CollectionSpec& audit_archives_spec() {
    static const CollectionSpec kSpec{
        .name = "audit_archives",
        .fields = {required("first", FieldType::kInteger), required("last", FieldType::kInteger),
                   required("previous"), required("hash"),
                   required("timestamp", FieldType::kInteger), required("key"),
                   required("signature"), optional("file")},
        .indexes = {{.name = "by_last", .fields = {{.path = "last", .type = FieldType::kInteger}}}},
        .accounting = Accounting::kFree};
    return kSpec;
}

const CollectionSpec& audit_keys_spec() {
    static const CollectionSpec kSpec{.name = "audit_keys",
                                      .fields = {required("public"),
                                                 {.path = "seed",
                                                  .presence = Presence::kRequired,
                                                  .protection = store::Protection::kEncrypted}},
                                      .indexes = {{.name = "by_created"}},
                                      .accounting = Accounting::kFree};
    return kSpec;
}

std::vector<const CollectionSpec*> tenant_collections() {
    return {&audit_log_spec(), &audit_pending_spec(), &audit_chain_spec(), &audit_subjects_spec()};
}

std::vector<const CollectionSpec*> core_collections_of_tenants() {
    return {&audit_heads_spec(), &audit_archives_spec()};
}

std::vector<const CollectionSpec*> core_collections() {
    std::vector<const CollectionSpec*> all = tenant_collections();
    std::ranges::copy(core_collections_of_tenants(), std::back_inserter(all));
    all.push_back(&audit_keys_spec());
    return all;
}

}  // namespace zona::audit

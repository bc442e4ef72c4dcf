// An installation of one host becomes one of several: its core database goes from a file into
// MongoDB.
#include "tenancy/operations/share_core.h"

#include "identity/users/collections.h"
#include "tenancy/testing/several_hosts.h"

namespace zona::tenancy {
namespace {

class ShareCore : public SeveralHosts {
  protected:
    void SetUp() override {
        SeveralHosts::SetUp();
        place_ = std::exchange(common_.core.uri, "");
    }
    Result<void> open_shared(Host& host) {
        common_.core.uri = place_;
        return host.open();
    }
    Result<void> open_alone(Host& host) {
        common_.core.uri.clear();
        return host.open();
    }
    Result<void> move_default() {
        auto moved = a_.operations().move({.tenant = "default", .to = another_place()});
        if (!moved) return moved.take_error();
        return {};
    }
    static std::vector<std::string> told(Host& host) {
        const auto all = Host::wait<std::vector<Tenant>>(
            [&](auto done) { host.tenants().list(std::move(done)); });
        std::vector<std::string> out;
        for (const Tenant& tenant : all.value()) {
            out.push_back(fmt::format("{} {} {} {} {} {}", tenant.id, tenant.code, tenant.version,
                                      tenant.created_at.time_since_epoch().count(),
                                      tenant.database.host, tenant.database.password.reveal()));
        }
        return out;
    }
    bool is_file(const char* name) const { return fs::exists(a_.state() + "/" + name); }
    Result<Record> plant(const store::CollectionSpec& spec, const store::Id& id,
                         const store::Document& document) {
        store::MongoOptions options = common_.core;
        options.uri = place_;
        options.collections = core_collections();
        const auto database = store::open_mongo(options, common_.clock, {}).value();
        return store::write_and_wait(
            *database, [&](Writer& w) { return w.insert(in_core(spec), id, document); });
    }

    std::string place_;
};

// TEN-36, SEC-07
TEST_F(ShareCore, TakesRecordsAndKeysAlongAndOthersJoin) {
    ASSERT_TRUE(a_.open().has_value());
    NewTenant wanted = tenant("acme");
    wanted.database.password = core::Secret("s3cret");
    ASSERT_TRUE(a_.create(std::move(wanted)).has_value());
    ASSERT_TRUE(a_.put("acme", "before").has_value());
    ASSERT_TRUE(a_.create({.code = "gone", .name = {}}).has_value());
    ASSERT_TRUE(a_.operations().erase("gone", Backups::kErase, {}).has_value());
    const auto moved = move_default();
    ASSERT_TRUE(moved.has_value()) << moved.error().message();
    const auto before = told(a_);
    EXPECT_THAT(before, testing::Contains(HasSubstr("s3cret")));
    // Roles and users of tenants are in their scopes.
    const store::Collection roles(identity::roles_spec(), store::Scope::tenant("acme").value());
    const store::Id role = std::string("night-shift");
    const auto find_role = [&] {
        return store::read_and_wait(*a_.tenants().core(),
                                    [&](store::Reader& r) { return r.find(roles, role); });
    };
    ASSERT_TRUE(store::write_and_wait(*a_.tenants().core(), [&](Writer& w) {
        return w.insert(roles, role, {{"name", "night-shift"}});
    }));

    const auto opened = open_shared(a_);

    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    EXPECT_EQ(told(a_), before);
    EXPECT_TRUE(find_role().value().has_value());
    EXPECT_TRUE(a_.tenants().is_shared());
    EXPECT_TRUE(a_.put("acme", "after").has_value());
    EXPECT_FALSE(is_file("core.db"));
    EXPECT_FALSE(is_file("keys.json"));
    EXPECT_TRUE(is_file("core.db.shared"));
    ASSERT_TRUE(b_.open().has_value());
    EXPECT_EQ(told(b_), before);
    EXPECT_TRUE(b_.put("acme", "by the other").has_value());
    ASSERT_TRUE(a_.rotate("acme").has_value());
    ASSERT_TRUE(a_.open().has_value()) << "again, as ever";
    EXPECT_EQ(open_alone(a_).error().code(), Code::kConflict);
    EXPECT_FALSE(is_file("core.db"));
}

// TEN-36, REL-20
TEST_F(ShareCore, WhatOthersHaveChangedSinceStaysWhenItDiedBeforeItsEnd) {
    ASSERT_TRUE(a_.open().has_value());
    ASSERT_TRUE(move_default().has_value());
    ASSERT_TRUE(a_.create(tenant("acme")).has_value());
    ASSERT_TRUE(open_shared(a_).has_value());
    a_.close();
    ASSERT_TRUE(b_.open().has_value());
    ASSERT_TRUE(b_.set_status("acme", TenantStatus::kSuspended).has_value());
    ASSERT_TRUE(b_.create(tenant("newer")).has_value());
    const auto now = told(b_);
    // As it was before the files got their other names.
    for (const char* name : {"core.db", "keys.json"}) {
        const std::string file = a_.state() + "/" + name;
        fs::rename(file + ".shared", file);
    }

    const auto opened = a_.open();

    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    EXPECT_EQ(told(a_), now);
    EXPECT_FALSE(is_file("core.db"));
}

// TEN-36
TEST_F(ShareCore, LeavesTheFileWhileItsTenantsAreFilesOfThisHost) {
    ASSERT_TRUE(a_.open().has_value());
    ASSERT_TRUE(a_.create({.code = "acme", .name = {}}).has_value());

    const auto refused = open_shared(a_);

    EXPECT_EQ(refused.error().code(), Code::kConflict);
    EXPECT_THAT(refused.error().message(), testing::AllOf(HasSubstr("acme"), HasSubstr("default")));
    ASSERT_TRUE(open_alone(a_).has_value());
    EXPECT_TRUE(a_.put("acme", "still").has_value());
    ASSERT_TRUE(open_shared(b_).has_value()) << "nothing was claimed there";
    const auto other = open_shared(a_);
    EXPECT_EQ(other.error().code(), Code::kConflict);
    EXPECT_THAT(other.error().message(), HasSubstr("another installation"));
    EXPECT_TRUE(is_file("core.db"));
}

// TEN-36
TEST_F(ShareCore, WhatAnotherHomeHasBegunIsLeftToIt) {
    ASSERT_TRUE(a_.open().has_value());
    ASSERT_TRUE(move_default().has_value());
    ASSERT_TRUE(plant(key_ring_spec(), 0, {{"generation", 0}, {"begun_by", "other"}}).has_value());

    const auto refused = open_shared(a_);
    const auto fresh = open_shared(b_);

    EXPECT_EQ(refused.error().code(), Code::kConflict);
    EXPECT_THAT(refused.error().message(), HasSubstr("another home"));
    EXPECT_EQ(fresh.error().code(), Code::kUnavailable) << "it comes when that is done";
    EXPECT_THAT(fresh.error().message(), HasSubstr("is not done"));
    ASSERT_TRUE(open_alone(a_).has_value());
}

}  // namespace
}  // namespace zona::tenancy

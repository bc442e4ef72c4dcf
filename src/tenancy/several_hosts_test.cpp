// What one host does is so on the others, and what only one may do is done by one.
#include "tenancy/testing/several_hosts.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "jobs/lease.h"
#include "tenancy/limits/license_repository.h"
#include "tenancy/testing/license_issuer.h"

namespace zona::tenancy {
namespace {

// TEN-06, TEN-36, BG-12
TEST_F(SeveralHosts, ATenantOfOneIsSoOnTheOther) {
    open_both();
    ASSERT_TRUE(a_.create(tenant("acme")).has_value());
    EXPECT_EQ(b_.data_of("acme").error().code(), Code::kInvalidTenant);
    ASSERT_TRUE(b_.follow().has_value());
    ASSERT_TRUE(b_.put("acme", "by b").has_value());
    ASSERT_TRUE(a_.put("acme", "by a").has_value());
    const TenantData held = b_.data_of("acme").value();

    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kSuspended).has_value());
    ASSERT_TRUE(b_.follow().has_value());

    EXPECT_EQ(b_.data_of("acme").error().code(), Code::kTenantInactive);
    EXPECT_EQ(Host::wait<bool>([&](auto done) {
                  held.write([](Writer&) { return Result<bool>(true); }, std::move(done));
              })
                  .error()
                  .code(),
              Code::kTenantInactive)
        << "who has it already, too";
    ASSERT_TRUE(b_.set_status("acme", TenantStatus::kActive).has_value());
    ASSERT_TRUE(a_.follow().has_value());
    EXPECT_TRUE(a_.put("acme", "again").has_value());
    EXPECT_FALSE(fs::exists(a_.state() + "/core.db"));
    EXPECT_FALSE(fs::exists(a_.state() + "/keys.json"));
}

// TEN-36
TEST_F(SeveralHosts, OneThatDoesNotHearOfTheOthersServesNobody) {
    open_both();
    ASSERT_TRUE(b_.create(tenant("acme")).has_value());
    common_.clock.advance(kFollowTrust);
    EXPECT_TRUE(b_.data_of("acme").has_value());

    common_.clock.advance(std::chrono::seconds(1));

    EXPECT_EQ(b_.data_of("acme").error().code(), Code::kUnavailable);
    EXPECT_THAT(b_.tenants().problem().value_or(""), HasSubstr("core database"));
    ASSERT_TRUE(b_.follow().has_value());
    EXPECT_TRUE(b_.data_of("acme").has_value());
    EXPECT_FALSE(b_.tenants().problem());
}

// TEN-36
TEST_F(SeveralHosts, OneThatBeganSlowlyServesNobodyUntilItHasLooked) {
    ASSERT_TRUE(a_.open().has_value());
    b_.hears = [this] { common_.clock.advance(kFollowTrust + std::chrono::seconds(1)); };
    ASSERT_TRUE(b_.open().has_value());

    EXPECT_EQ(b_.data_of("default").error().code(), Code::kUnavailable);

    ASSERT_TRUE(b_.follow().has_value());
    EXPECT_TRUE(b_.data_of("default").has_value());
}

// TEN-36
TEST_F(SeveralHosts, WhatALookThatFailedHasMissedIsSeenByTheNext) {
    open_both();
    for (const char* code : {"acme", "globex"}) {
        NewTenant wanted = tenant(code);
        wanted.database.password = core::Secret("s3cret");
        ASSERT_TRUE(a_.create(std::move(wanted)).has_value());
    }
    ASSERT_TRUE(b_.follow().has_value());
    ASSERT_TRUE(b_.put("globex", "by b").has_value());
    const auto password_of = [this](const char* code) {
        return store::read_and_wait(*a_.tenants().core(),
                                    [&](store::Reader& reader) {
                                        return reader.find(in_core(tenants_spec()), code);
                                    })
            .value()
            ->document->at("db_password");
    };
    const auto set_password = [this](const boost::json::value& sealed) {
        return store::write_and_wait(*a_.tenants().core(), [&](Writer& writer) {
            return writer.modify(in_core(tenants_spec()), "acme",
                                 store::Update().set("db_password", sealed));
        });
    };
    const boost::json::value sealed = password_of("acme");
    ASSERT_TRUE(a_.set_status("globex", TenantStatus::kSuspended).has_value());
    ASSERT_TRUE(set_password(password_of("globex")).has_value());
    ASSERT_FALSE(b_.follow().has_value()) << "acme's password does not open";

    ASSERT_TRUE(set_password(sealed).has_value());
    common_.clock.advance(std::chrono::minutes(2));
    ASSERT_TRUE(b_.follow().has_value());

    EXPECT_EQ(b_.data_of("globex").error().code(), Code::kTenantInactive);
}

// DATA-26, DATA-27
TEST_F(SeveralHosts, NumbersAreGivenOutOnce) {
    open_both();
    constexpr int kEach = 5;
    for (int i = 0; i < 2 * kEach; ++i)
        new_database();
    std::vector<std::set<std::int64_t>> numbers(2);
    std::vector<std::jthread> hosts;
    for (Host* host : {&a_, &b_}) {
        hosts.emplace_back([this, host, at = hosts.size(), &mine = numbers[hosts.size()]] {
            for (std::size_t i = 0; i < kEach; ++i) {
                const auto& database = databases_[databases_.size() - 1 - at * kEach - i];
                NewTenant wanted{.code = fmt::format("t{}-{}", at, i), .name = {}};
                wanted.database.host = server_.uri();
                wanted.database.name = database;
                auto made = host->create(wanted);
                // A server without transactions, and without atomic updates by condition as
                // FerretDB, refuses the second of two that were given the same number.
                for (int tries = 0; !made && made.error().code() == Code::kConflict; ++tries) {
                    ASSERT_LT(tries, 100) << made.error().message();
                    made = host->create(wanted);
                }
                ASSERT_TRUE(made.has_value()) << made.error().message();
                mine.insert(made->id);
            }
        });
    }
    hosts.clear();

    std::set<std::int64_t> all = numbers[0];
    all.insert(numbers[1].begin(), numbers[1].end());
    EXPECT_EQ(all.size(), 2U * kEach);
}

// LIC-05
TEST_F(SeveralHosts, OfManyThatWantTheLastPlaceOneGetsIt) {
    const LicenseIssuer issuer;
    common_.license_keys = issuer.keys();
    open_both();
    LicenseRepository licenses(a_.tenants().core(), issuer.keys());
    constexpr int kRounds = 6;
    for (int round = 0; round < kRounds; ++round) {
        // The default tenant has a place, too.
        const auto installed = Host::wait<License>([&](auto done) {
            licenses.install(
                issuer.issue({{"max_tenants", 2 + round},
                              {"issued_at",
                               core::to_rfc3339(core::SystemTime(std::chrono::seconds(round)))}}),
                common_.clock.system(), std::move(done));
        });
        ASSERT_TRUE(installed.has_value()) << installed.error().message();
        std::atomic<int> made = 0;
        std::vector<std::jthread> racers;
        for (Host* host : {&a_, &b_}) {
            for (int i = 0; i < 2; ++i) {
                NewTenant wanted = tenant(fmt::format("t{}-{}-{}", round, host->name(), i).c_str());
                racers.emplace_back([host, wanted = std::move(wanted), &made]() mutable {
                    const auto result = host->create(std::move(wanted));
                    if (result) return void(++made);
                    EXPECT_EQ(result.error().code(), Code::kLicense) << result.error().message();
                });
            }
        }
        racers.clear();
        EXPECT_EQ(made, 1) << "round " << round;
    }
}

// SEC-06, SEC-07
TEST_F(SeveralHosts, PasswordsAreReadUnderKeysThatAnotherHasMade) {
    open_both();
    NewTenant wanted = tenant("acme");
    wanted.database.password = core::Secret("s3cret");
    ASSERT_TRUE(a_.create(std::move(wanted)).has_value());
    const auto password = [](Host& host) {
        const auto found =
            Host::wait<Tenant>([&](auto done) { host.tenants().find("acme", std::move(done)); });
        return found ? std::string(found->database.password.reveal()) : found.error().message();
    };
    EXPECT_EQ(password(b_), "s3cret");
    common_.clock.advance(std::chrono::minutes(2));
    for (Host* host : {&a_, &b_})
        ASSERT_TRUE(host->follow().has_value());
    const auto old = a_.ring().keys(std::string(kCoreOwner)).value();

    const Rotated done = a_.rotate(std::string(kCoreOwner)).value();

    EXPECT_EQ(done.rotated, 1U);
    EXPECT_EQ(done.passwords, 1U);
    EXPECT_EQ(done.retired, 0U) << "the other may still write with the old key";
    EXPECT_EQ(done.waiting, 1U);
    EXPECT_EQ(password(b_), "s3cret");

    common_.clock.advance(vault::kRingSettles);
    for (Host* host : {&a_, &b_})
        ASSERT_TRUE(host->follow().has_value());
    KeyRotation rotation({.tenants = a_.tenants(), .clock = common_.clock, .log = {}});
    const auto turn = rotation.begin().value();
    const Rotated later =
        turn.rotate(std::string(kCoreOwner), {.age = std::chrono::hours(24)}).value();
    EXPECT_EQ(later.rotated, 0U);
    EXPECT_EQ(later.retired, 1U);
    EXPECT_EQ(password(b_), "s3cret");
    EXPECT_EQ(b_.ring().keys(std::string(kCoreOwner)).value().size(), 2U) << "not told yet";
    ASSERT_TRUE(b_.follow().has_value());
    EXPECT_EQ(b_.ring().keys(std::string(kCoreOwner)).value().size(), 1U);
    EXPECT_EQ(old.size(), 1U);
}

// TEN-06, TEN-17, SEC-07
TEST_F(SeveralHosts, AnotherLoginOfADatabaseIsThatOfAllHosts) {
    const auto own = MongoServer::ferretdb_with_users();
    if (own->uri().empty()) GTEST_SKIP() << own->why_not();
    own->set_user("first", "one");
    own->set_user("second", "two");
    open_both();
    NewTenant wanted = tenant("acme");
    wanted.database.host = own->uri();
    wanted.database.username = "first";
    wanted.database.password = core::Secret("one");
    const Tenant made = a_.create(std::move(wanted)).value();
    ASSERT_EQ(made.connection_status, ConnectionStatus::kConnected);
    ASSERT_TRUE(b_.follow().has_value());
    ASSERT_TRUE(b_.put("acme", "as the first").has_value());
    const TenantData held = b_.data_of("acme").value();
    TenantChange change{.database = made.database};
    change.database->username = "second";
    change.database->password = core::Secret("two");

    ASSERT_TRUE(Host::wait<Tenant>([&](auto done) {
                    a_.tenants().update("acme", std::move(change), std::move(done));
                }).has_value());
    ASSERT_TRUE(b_.follow().has_value());

    own->drop_user("first");
    own->kill();
    own->start_again();  // all connect anew
    const auto written = Host::wait<bool>([&](auto done) {
        held.write(
            [&](Writer& w) -> Result<bool> {
                ZONA_TRY_VOID(w.insert(held.collection(events()), "held", {{"text", "x"}}));
                return true;
            },
            std::move(done));
    });
    EXPECT_TRUE(written.has_value()) << written.error().message();
    for (Host* host : {&a_, &b_})
        EXPECT_TRUE(host->put("acme", "as the second").has_value());
}

// SEC-06, SEC-07
TEST_F(SeveralHosts, RotationsOfTwoAtOnceLoseNoKey) {
    open_both();
    constexpr int kEach = 8;
    std::vector<std::vector<vault::KeyId>> made(2);
    std::vector<std::jthread> hosts;
    for (Host* host : {&a_, &b_}) {
        hosts.emplace_back([host, &mine = made[hosts.size()]] {
            for (int i = 0; i < kEach; ++i) {
                const auto rotated = host->ring().rotate(kCoreOwner);
                ASSERT_TRUE(rotated.has_value()) << rotated.error().message();
                mine.push_back(*rotated);
            }
        });
    }
    hosts.clear();

    ASSERT_TRUE(b_.open().has_value());
    ASSERT_TRUE(a_.follow().has_value());
    for (Host* host : {&a_, &b_}) {
        const auto keys = host->ring().tenant(kCoreOwner).value();
        for (const auto& mine : made) {
            for (const vault::KeyId id : mine)
                EXPECT_TRUE(keys->get(id).has_value());
        }
        EXPECT_EQ(host->ring().keys(kCoreOwner).value().size(), 2U * kEach + 1);
    }
}

// SEC-06
TEST_F(SeveralHosts, RotationsOfTwoThatSealTheSamePasswordsBothSucceed) {
    open_both();
    constexpr int kTenants = 12;
    for (int i = 0; i < kTenants; ++i) {
        NewTenant wanted = tenant(fmt::format("t{}", i));
        wanted.database.host = "mongodb://127.0.0.1:1/";  // nobody answers
        wanted.database.password = core::Secret("s3cret");
        ASSERT_TRUE(a_.create(std::move(wanted)).has_value());
    }
    for (int round = 0; round < 4; ++round) {
        common_.clock.advance(std::chrono::minutes(2));
        std::vector<std::future<Result<Rotated>>> rotations;
        for (Host* host : {&a_, &b_}) {
            rotations.push_back(std::async(
                std::launch::async, [host] { return host->rotate(std::string(kCoreOwner)); }));
        }
        for (auto& rotation : rotations) {
            const auto done = rotation.get();
            EXPECT_TRUE(done.has_value()) << done.error().message();
        }
    }

    const auto all =
        Host::wait<std::vector<Tenant>>([&](auto done) { b_.tenants().list(std::move(done)); });
    ASSERT_TRUE(all.has_value()) << all.error().message();
    EXPECT_EQ(
        std::ranges::count_if(
            *all, [](const Tenant& one) { return one.database.password.reveal() == "s3cret"; }),
        kTenants);
}

// BG-12
TEST_F(SeveralHosts, WhatAFormerHolderOfALeaseWritesIsRefused) {
    open_both();
    const store::Collection settings(system_config_spec(), store::Scope::core());
    const auto take = [](Host& host, const std::string& name) {
        return store::write_and_wait(*host.tenants().core(), [&](Writer& writer) {
            return jobs::take_lease(writer, "work", {.instance = name, .life = "1"}, "line");
        });
    };
    const auto write = [&](Host& host, const jobs::Fence& fence, const std::string& text) {
        return store::write_and_wait(*host.tenants().core(), [&](Writer& writer) -> Result<Record> {
            ZONA_TRY_VOID(fence.check(writer));
            return writer.upsert(settings, "done", {{"by", text}});
        });
    };
    const jobs::Fence former = take(a_, "a").value();
    ASSERT_TRUE(write(a_, former, "a").has_value());
    const jobs::Fence present = take(b_, "b").value();

    EXPECT_EQ(write(a_, former, "a again").error().code(), Code::kConflict);

    ASSERT_TRUE(write(b_, present, "b").has_value());
    const auto done = store::read_and_wait(
        *a_.tenants().core(), [&](store::Reader& reader) { return reader.find(settings, "done"); });
    EXPECT_EQ((*done)->document->at("by").as_string(), "b");
}

// TEN-02, TEN-12, TEN-41
TEST_F(SeveralHosts, WhatChangesADatabaseAsAWholeWantsATenantThatNobodyServes) {
    open_both();
    ASSERT_TRUE(a_.create(tenant("acme")).has_value());
    ASSERT_TRUE(a_.put("acme", "one").has_value());
    ASSERT_TRUE(b_.follow().has_value());
    const DatabaseAddress to = another_place();

    EXPECT_EQ(a_.operations().move({.tenant = "acme", .to = to}).error().code(), Code::kConflict);
    EXPECT_EQ(a_.operations()
                  .move({.tenant = "acme", .to = {.host = std::string(kEmbedded)}})
                  .error()
                  .code(),
              Code::kInvalidArgument);
    EXPECT_EQ(a_.operations().back_up_all().error().code(), Code::kUnsupported);
    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kSuspended).has_value());
    const auto moved = a_.operations().move({.tenant = "acme", .to = to});
    ASSERT_TRUE(moved.has_value()) << moved.error().message();
    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kActive).has_value());
    ASSERT_TRUE(b_.follow().has_value());
    ASSERT_TRUE(b_.put("acme", "two").has_value());
    const auto backup = b_.operations().back_up_tenant("acme");
    ASSERT_TRUE(backup.has_value()) << backup.error().message();
    EXPECT_EQ(backup->documents, 2U);
}

// TEN-12, TEN-41
TEST_F(SeveralHosts, WhatOneIsInTheMiddleOfIsLeftAloneByTheOthers) {
    open_both();
    ASSERT_TRUE(a_.create(tenant("acme")).has_value());
    const BackupRecord backup = a_.operations().back_up_tenant("acme").value();
    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kSuspended).has_value());
    ASSERT_TRUE(records(b_).begin_anew(move_of(b_)).has_value());
    ASSERT_TRUE(records(b_).begin_anew(move_of(b_)).has_value()) << "its own goes on";

    const auto moved = a_.operations().move({.tenant = "acme", .to = another_place()});
    const auto restored =
        a_.operations().restore({.tenant = "acme", .backup = backup.uuid.to_string()});

    ASSERT_FALSE(moved.has_value());
    ASSERT_FALSE(restored.has_value());
    EXPECT_THAT(moved.error().message(), HasSubstr("the host b"));
    EXPECT_THAT(restored.error().message(), HasSubstr("the host b"));
    EXPECT_EQ(records(a_).begin_anew(move_of(a_)).error().code(), Code::kConflict);
    EXPECT_EQ(a_.set_status("acme", TenantStatus::kActive).error().code(), Code::kConflict);
    EXPECT_EQ(records(b_).own("acme", "b").value()->instance, "b");
}

// TEN-12, TEN-36, TEN-41
TEST_F(SeveralHosts, ATenantThatIsMadeActiveMeanwhileIsNotMovedNorRestored) {
    open_both();
    ASSERT_TRUE(a_.create(tenant("acme")).has_value());
    ASSERT_TRUE(b_.follow().has_value());
    const BackupRecord backup = b_.operations().back_up_tenant("acme").value();
    for (const bool is_move : {true, false}) {
        ASSERT_TRUE(a_.set_status("acme", TenantStatus::kSuspended).has_value());
        bool has_waited = false;
        const core::ProgressSink waits = [&](const core::Progress& progress) {
            if (has_waited || !progress.step.starts_with("wait")) return;
            has_waited = true;
            EXPECT_EQ(a_.set_status("acme", TenantStatus::kActive).error().code(), Code::kConflict);
            // A host that had looked before that was recorded still does it.
            ASSERT_TRUE(store::write_and_wait(*a_.tenants().core(), [](Writer& writer) {
                            return writer.modify(in_core(tenants_spec()), "acme",
                                                 store::Update().set("status", "active"));
                        }).has_value());
        };

        const auto code =
            is_move ? b_.operations()
                          .move({.tenant = "acme", .to = another_place()}, waits)
                          .error()
                          .code()
                    : b_.operations()
                          .restore({.tenant = "acme", .backup = backup.uuid.to_string()}, waits)
                          .error()
                          .code();

        EXPECT_TRUE(has_waited);
        EXPECT_EQ(code, Code::kConflict);
        EXPECT_FALSE(records(b_).under_way("acme").value()) << "nothing of it is left";
        ASSERT_TRUE(a_.follow().has_value());
        EXPECT_TRUE(a_.put("acme", "served").has_value());
    }
    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kSuspended).has_value());
    EXPECT_TRUE(b_.operations()
                    .restore({.tenant = "acme",
                              .backup = backup.uuid.to_string(),
                              .existing = Existing::kReplace})
                    .has_value());
    EXPECT_TRUE(a_.set_status("acme", TenantStatus::kActive).has_value());
}

// TEN-02, TEN-21
TEST_F(SeveralHosts, RefusesFilesOfOneHostAndAnotherPlaceThanBefore) {
    open_both();
    NewTenant file{.code = "file", .name = {}};
    file.database.host = kEmbedded;
    EXPECT_EQ(a_.create(std::move(file)).error().code(), Code::kInvalidArgument);
    NewTenant core = tenant("core2");
    core.database.name = common_.core.database;
    EXPECT_EQ(a_.create(std::move(core)).error().code(), Code::kConflict);

    const std::string uri = std::exchange(common_.core.uri, "");
    const auto back = a_.open();
    EXPECT_EQ(back.error().code(), Code::kConflict);
    EXPECT_THAT(back.error().message(), HasSubstr("tenancy.core_host"));
    Host fresh(common_, "fresh");
    ASSERT_TRUE(fresh.open().has_value()) << "a file, as ever";
    EXPECT_TRUE(fs::exists(fresh.state() + "/core.db"));
    EXPECT_FALSE(fresh.tenants().is_shared());
    common_.core.uri = uri;
    EXPECT_EQ(fresh.open().error().code(), Code::kConflict);
    common_.build_type = BuildType::kSingleTenant;
    Host single(common_, "single");
    EXPECT_EQ(single.open().error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace zona::tenancy

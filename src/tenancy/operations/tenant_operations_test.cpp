// Backup, restore, export, move, erasure and checks of real files, in either mode.
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

class SeparateOperationsTest : public OperationsTest {};

// TEN-03, TEN-41, REL-08
TEST_P(OperationsTest, RestoreBringsBackWhatWasAndTouchesNobodyElse) {
    fill();
    const auto before = platform_.records("acme").value();
    const BackupRecord backup = operations().back_up_tenant("acme").value();
    platform_.clock.advance(std::chrono::milliseconds(5));
    ASSERT_TRUE(platform_.put("acme", 2, "written later").has_value());
    ASSERT_TRUE(platform_.put("acme", 9, "another").has_value());
    ASSERT_TRUE(platform_.put("globex", 2, "of globex, later").has_value());

    const auto restored = restore(backup.uuid.to_string(), Existing::kReplace);

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_EQ(restored->documents, 3U);
    const auto after = platform_.records("acme").value();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i].version, before[i].version);
        EXPECT_EQ(after[i].created, before[i].created);
        EXPECT_EQ(after[i].updated, before[i].updated);
        EXPECT_EQ(*after[i].document, *before[i].document);
    }
    EXPECT_EQ(platform_.texts("globex"),
              (std::vector<std::string>{"secret of globex", "of globex, later"}));
    ASSERT_TRUE(platform_.open().has_value());  // a restart
    EXPECT_EQ(platform_.texts("acme"), as_filled());
    EXPECT_TRUE(operations().check()->findings.empty());
    ASSERT_TRUE(platform_.put("acme", 10, "goes on").has_value());
}

// TEN-41
TEST_P(OperationsTest, RestoreReplacesDocumentsOnlyWhenItIsAskedTo) {
    fill();
    const BackupRecord backup = operations().back_up_tenant("acme").value();
    ASSERT_TRUE(platform_.put("acme", 9, "another").has_value());

    EXPECT_EQ(restore(backup.uuid.to_string(), Existing::kRefuse).error().code(), Code::kConflict);

    EXPECT_EQ(platform_.texts("acme").size(), 4U) << "and it is served again";
    EXPECT_EQ(
        restore(core::Uuid::v4(platform_.random).to_string(), Existing::kReplace).error().code(),
        Code::kNotFound);
    EXPECT_EQ(operations().back_up_tenant("nobody").error().code(), Code::kNotFound);
}

// TEN-41, SEC-09
TEST_P(OperationsTest, BackupOfOneTenantIsAnothersOnlyWhenItIsAskedFor) {
    fill();
    const BackupRecord backup = operations().back_up_tenant("globex").value();

    EXPECT_EQ(restore(path_of(backup), Existing::kReplace).error().code(), Code::kConflict);
    EXPECT_EQ(restore(backup.uuid.to_string(), Existing::kReplace).error().code(), Code::kNotFound);
    EXPECT_EQ(platform_.texts("acme"), as_filled());
    const auto asked = operations().restore({.tenant = "acme",
                                             .backup = path_of(backup),
                                             .existing = Existing::kReplace,
                                             .of = "globex"});

    ASSERT_TRUE(asked.has_value()) << asked.error().message();
    EXPECT_EQ(platform_.texts("acme"), std::vector<std::string>{"secret of globex"});
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
    EXPECT_TRUE(operations().check()->findings.empty());
}

// SEC-04, SEC-09
TEST_P(OperationsTest, BackupIsNothingWithoutItsKey) {
    fill();
    const BackupRecord backup = operations().back_up_tenant("acme").value();
    EXPECT_EQ(platform_.files_with("secret of acme"), std::set<std::string>());
    Platform other(make_folder(), GetParam());
    ASSERT_TRUE(other.open().has_value());

    const auto unknown = other.operations().verify("acme", path_of(backup));
    ASSERT_TRUE(other.create("acme").has_value());
    ASSERT_TRUE(other.put("acme", 1, "own").has_value());
    const auto refused = other.operations().restore(
        {.tenant = "acme", .backup = path_of(backup), .existing = Existing::kReplace});

    EXPECT_EQ(unknown.error().code(), Code::kNotFound);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(other.texts("acme"), std::vector<std::string>{"own"});
    other.close();
    fs::remove_all(other.folder());
}

// SEC-09, REL-08
TEST_P(OperationsTest, DamagedBackupIsSeenAndChangesNothing) {
    fill();
    for (int i = 10; i < 200; ++i)
        ASSERT_TRUE(platform_.put("acme", i, std::string(1000, 'x')).has_value());
    const auto before = platform_.texts("acme");
    const BackupRecord backup = operations().back_up_tenant("acme").value();
    const std::string good = content_of(path_of(backup));
    const std::string file = platform_.folder() + "/damaged.zbk";
    const auto refused = [&](const std::string& bytes) {
        std::ofstream(file, std::ios::binary) << bytes;
        const auto seen = operations().verify("acme", file);
        EXPECT_FALSE(seen.has_value());
        EXPECT_FALSE(restore(file, Existing::kReplace).has_value());
        EXPECT_TRUE(platform_.texts("acme") == before);
        return !seen.has_value();
    };
    ASSERT_TRUE(operations().verify("acme", path_of(backup)).has_value());

    for (const std::size_t at :
         {std::size_t{5}, std::size_t{120}, good.size() / 2, good.size() - 1}) {
        std::string flipped = good;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        refused(flipped);
    }
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{60}, good.size() / 2, good.size() - 1, good.size() - 70'000})
        refused(good.substr(0, size));
    refused(good + "x");
    // Two chunks of the sealed part exchanged.
    constexpr std::size_t kChunk = 65'536 + 16;
    const std::size_t first = good.find('\n') + 1 + 48;
    ASSERT_GT(good.size(), first + 2 * kChunk);
    refused(good.substr(0, first) + good.substr(first + kChunk, kChunk) +
            good.substr(first, kChunk) + good.substr(first + 2 * kChunk));
    // The title of another one.
    const BackupRecord later = operations().back_up_tenant("acme").value();
    const std::string other = content_of(path_of(later));
    refused(other.substr(0, other.find('\n')) + good.substr(good.find('\n')));
}

// DATA-17, DATA-18
TEST_P(OperationsTest, RecordsSayWhatATenantHas) {
    fill();
    const BackupRecord first = operations().back_up_tenant("acme").value();
    platform_.clock.advance(std::chrono::seconds(1));
    const BackupRecord second = operations().back_up_tenant("acme").value();

    const auto of_acme = operations().backups("acme").value();
    ASSERT_EQ(of_acme.size(), 2U);
    EXPECT_EQ(of_acme[0].uuid, second.uuid);
    EXPECT_EQ(of_acme[1].id, first.id);
    EXPECT_EQ(first.id + 1, second.id);
    EXPECT_EQ(first.tenant, "acme");
    EXPECT_EQ(first.name, "Name of acme");
    EXPECT_EQ(first.documents, 3U);
    EXPECT_EQ(first.database.host, kEmbedded);
    EXPECT_TRUE(operations().backups("globex")->empty());
    const BackupRecords records(platform_.tenants().parts()->core, platform_.clock);
    const auto databases = Platform::wait<std::vector<DatabaseRecord>>(
        [&](auto done) { records.databases("acme", std::move(done)); });
    ASSERT_EQ(databases->size(), 1U);

    ASSERT_TRUE(operations().remove_backup("acme", first.uuid.to_string()).has_value());

    EXPECT_FALSE(fs::exists(path_of(first)));
    EXPECT_EQ(operations().backups("acme")->size(), 1U);
    EXPECT_EQ(operations().remove_backup("acme", first.uuid.to_string()).error().code(),
              Code::kNotFound);
}

// TEN-41
TEST_P(OperationsTest, OldestBackupsGoWhenThereAreMoreThanAreKept) {
    fill();
    platform_.keep = 2;
    ASSERT_TRUE(platform_.open().has_value());
    for (int i = 0; i < 4; ++i) {
        platform_.clock.advance(std::chrono::seconds(1));
        ASSERT_TRUE(operations().back_up_tenant("acme").has_value());
    }
    EXPECT_EQ(operations().backups("acme")->size(), 2U);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& file :
         fs::directory_iterator(platform_.folder() + "/backups/acme"))
        ++files;
    EXPECT_EQ(files, 2U);
}

// REL-16
TEST_P(OperationsTest, FullDiskLeavesNoHalfBackup) {
    fill();
    for (int i = 10; i < 100; ++i)
        ASSERT_TRUE(platform_.put("acme", i, std::string(5000, 'x')).has_value());
    ASSERT_TRUE(operations().check().has_value());
    const auto before = platform_.files();
    rlimit old{};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{100'000, old.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);

    const auto failed = operations().back_up_tenant("acme");

    ::setrlimit(RLIMIT_FSIZE, &old);
    ::signal(SIGXFSZ, ignored);
    ASSERT_FALSE(failed.has_value());
    EXPECT_TRUE(operations().backups("acme")->empty());
    EXPECT_EQ(platform_.files(), before);
    EXPECT_TRUE(operations().back_up_tenant("acme").has_value());
}

// TEN-11, SEC-07
TEST_P(OperationsTest, EraseLeavesNothingButThatThereWasATenant) {
    fill();
    ASSERT_TRUE(operations().back_up_tenant("acme").has_value());
    ASSERT_TRUE(operations().back_up_all().has_value());
    const TenantData handle = platform_.data_of("acme").value();
    const auto keys = platform_.tenants().parts()->files->find_keys("acme").value();

    const auto erased = operations().erase("acme", Backups::kErase);

    ASSERT_TRUE(erased.has_value()) << erased.error().message();
    EXPECT_EQ(keys->current().error().code(), Code::kNotFound);
    EXPECT_EQ(Platform::put(handle, 1, "x").error().code(), Code::kTenantInactive);
    EXPECT_EQ(platform_.data_of("acme").error().code(), Code::kTenantInactive);
    const Tenant record = Platform::wait<Tenant>([&](auto done) {
                              platform_.tenants().find("acme", std::move(done));
                          }).value();
    EXPECT_TRUE(record.erased_at.has_value());
    EXPECT_EQ(record.name, "acme");
    EXPECT_EQ(record.contact_email, "");
    const auto history = Platform::wait<std::vector<Tenant>>(
        [&](auto done) { platform_.tenants().history("acme", std::move(done)); });
    ASSERT_FALSE(history->empty());
    for (const Tenant& state : *history)
        EXPECT_EQ(state.contact_email, "");
    EXPECT_EQ(platform_.create("acme").error().code(), Code::kConflict);
    EXPECT_EQ(Platform::wait<Tenant>([&](auto done) {
                  platform_.tenants().set_status("acme", TenantStatus::kActive, std::move(done));
              })
                  .error()
                  .code(),
              Code::kConflict);
    for (const std::string& file : platform_.files())
        EXPECT_EQ(file.find("acme"), std::string::npos) << file;
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
    EXPECT_TRUE(operations().check()->findings.empty());
    EXPECT_EQ(operations().whole_backups()->size(), 1U);
    const auto whole = operations().whole_backups()->at(0);
    EXPECT_TRUE(operations().verify_all(whole.uuid.to_string()).has_value());
    EXPECT_TRUE(operations().erase("acme", Backups::kErase).has_value()) << "once more";
    EXPECT_EQ(operations().erase("default", Backups::kErase).error().code(), Code::kConflict);
}

// TEN-11
TEST_P(OperationsTest, EraseThatKeepsBackupsKeepsTheKeysTheyOpenWith) {
    fill();
    const BackupRecord backup = operations().back_up_tenant("acme").value();

    ASSERT_TRUE(operations().erase("acme", Backups::kKeep).has_value());

    EXPECT_TRUE(operations().verify("acme", backup.uuid.to_string()).has_value());
    const auto to_globex = operations().restore({.tenant = "globex",
                                                 .backup = backup.uuid.to_string(),
                                                 .existing = Existing::kReplace,
                                                 .of = "acme"});
    ASSERT_TRUE(to_globex.has_value()) << to_globex.error().message();
    EXPECT_EQ(platform_.texts("globex"), as_filled());
}

// DATA-18, SEC-01
TEST_P(OperationsTest, ExportHoldsTheTenantsDocumentsAlone) {
    fill();
    const std::string directory = platform_.folder() + "/out";

    const auto sums = operations().export_data({.tenant = "acme", .directory = directory}).value();

    EXPECT_EQ(sums.at(3).documents, 3U);
    const std::string lines = content_of(directory + "/events.jsonl");
    EXPECT_THAT(lines, HasSubstr(R"("document":{"text":"secret of acme 2"})"));
    EXPECT_EQ(std::ranges::count(lines, '\n'), 3);
    const json::value manifest = json::parse(content_of(directory + "/manifest.json"));
    EXPECT_EQ(manifest.at("tenant"), "acme");
    EXPECT_EQ(manifest.at("collections").at(3).at("documents"), 3);
    EXPECT_EQ(platform_.files_with("secret of globex"), std::set<std::string>());
    EXPECT_EQ(operations().export_data({.tenant = "acme", .directory = directory}).error().code(),
              Code::kConflict);
}

// TEN-12
TEST_P(SeparateOperationsTest, MovePutsTheSameDocumentsIntoAnotherDatabase) {
    fill();
    const std::string old = platform_.state() + "/tenants/acme/data.db";
    ASSERT_TRUE(fs::exists(old));

    const auto moved = operations().move({.tenant = "acme"});

    ASSERT_TRUE(moved.has_value()) << moved.error().message();
    EXPECT_EQ(moved->at(3).documents, 3U);
    EXPECT_FALSE(fs::exists(old));
    EXPECT_EQ(platform_.texts("acme"), as_filled());
    ASSERT_TRUE(platform_.open().has_value());
    EXPECT_EQ(platform_.texts("acme"), as_filled());
    EXPECT_TRUE(operations().back_up_tenant("acme").has_value());
}

// REL-24, TEN-47
TEST_P(SeparateOperationsTest, CheckNamesTheTenantWhoseFileIsDamaged) {
    fill();
    for (int i = 10; i < 400; ++i)
        ASSERT_TRUE(platform_.put("acme", i, std::string(1000, 'x')).has_value());
    const BackupRecord backup = operations().back_up_tenant("acme").value();
    EXPECT_TRUE(operations().check()->findings.empty());
    platform_.close();
    const std::string file = platform_.state() + "/tenants/acme/data.db";
    std::string bytes = content_of(file);
    for (std::size_t at = 64 * 4096 + 50; at < bytes.size(); at += 4096)
        bytes[at] = static_cast<char>(bytes[at] ^ 1);
    std::ofstream(file, std::ios::binary) << bytes;
    fs::remove(path_of(backup));
    ASSERT_TRUE(platform_.open().has_value());

    const CheckReport report = operations().check().value();

    ASSERT_FALSE(report.findings.empty());
    bool missing = false;
    for (const Finding& finding : report.findings) {
        EXPECT_EQ(finding.where, "acme") << finding.what;
        missing = missing || finding.what.find(backup.uuid.to_string()) != std::string::npos;
    }
    EXPECT_TRUE(missing);
}

// REL-07, REL-08, SEC-07, SEC-09
TEST_P(OperationsTest, WholeBackupRestoresIntoAFreshHomeWithAKeyFromEscrow) {
    fill();
    const WholeBackup whole = operations().back_up_all().value();
    EXPECT_EQ(whole.tenants, 3U);
    ASSERT_TRUE(operations().verify_all(whole.uuid.to_string()).has_value());
    const std::string text = content_of(platform_.folder() + "/root-key");
    EXPECT_TRUE(platform_.files_with(text.substr(0, text.find('\n'))).contains("root-key"));
    EXPECT_EQ(platform_.files_with(text.substr(0, text.find('\n'))).size(), 1U)
        << "the root key is in no backup";
    const auto shares = vault::split_key(vault::parse_root_key(text).value(),
                                         {.needed = 2, .total = 3}, platform_.random)
                            .value();
    const std::vector<core::Secret> two = {shares[2], shares[0]};
    platform_.close();

    Platform fresh(make_folder(), GetParam());
    fresh.root_keys = vault::make_text_provider(
        vault::root_key_text(vault::combine_shares(two).value()), "shares", fresh.random);
    const WholeRestore restore{.backup = whole.directory,
                               .state = fresh.state(),
                               .root_keys = *fresh.root_keys,
                               .clock = fresh.clock,
                               .random = fresh.random,
                               .log = {}};
    const auto restored = restore_whole(restore, {});

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_EQ(restore_whole(restore, {}).error().code(), Code::kConflict);
    ASSERT_TRUE(fresh.open().has_value());
    EXPECT_EQ(fresh.texts("acme"), as_filled());
    EXPECT_EQ(fresh.texts("globex"), std::vector<std::string>{"secret of globex"});
    EXPECT_TRUE(fresh.operations().check()->findings.size() <= 3U);
    fresh.close();
    fs::remove_all(fresh.folder());
}

// SEC-09
TEST_P(OperationsTest, WholeBackupThatWasChangedIsRefused) {
    fill();
    const WholeBackup whole = operations().back_up_all().value();
    const std::string id = whole.uuid.to_string();
    const std::string file = whole.directory + "/acme.zbk";
    const std::string good = content_of(file);
    // Another backup of the same tenant, good by itself.
    ASSERT_TRUE(platform_.put("acme", 9, "later").has_value());
    const BackupRecord later = operations().back_up_tenant("acme").value();
    fs::copy_file(path_of(later), file, fs::copy_options::overwrite_existing);
    EXPECT_EQ(operations().verify_all(id).error().code(), Code::kConflict);
    fs::copy_file(whole.directory + "/globex.zbk", file, fs::copy_options::overwrite_existing);
    EXPECT_EQ(operations().verify_all(id).error().code(), Code::kConflict);
    fs::remove(file);
    EXPECT_FALSE(operations().verify_all(id).has_value());
    std::ofstream(file, std::ios::binary) << good;
    EXPECT_TRUE(operations().verify_all(id).has_value());

    ASSERT_TRUE(operations().remove_whole(id).has_value());
    EXPECT_TRUE(operations().whole_backups()->empty());
    EXPECT_FALSE(fs::exists(whole.directory));
}

INSTANTIATE_TEST_SUITE_P(OneMode, SeparateOperationsTest, testing::Values(BuildType::kMssp));
INSTANTIATE_TEST_SUITE_P(BothModes, OperationsTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy

// Secret fields on their way through backups, restores as another tenant, and exports.
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

const store::CollectionSpec& integrations() {
    return *tenant_collections().at(0);
}

const json::object& secret() {
    static const json::object kSecret = {
        {"secret_fields", {{"token", "correct horse"}, {"port", 8443}}}};
    return kSecret;
}

Result<Record> store_secret(Platform& platform, const std::string& code) {
    ZONA_TRY(const TenantData data, platform.data_of(code));
    return Platform::wait<Record>([&](auto done) {
        data.write(
            [&](Writer& w) { return w.upsert(data.collection(integrations()), 7, secret()); },
            std::move(done));
    });
}

/// As its tenant reads it.
json::object read_secret(Platform& platform, const std::string& code) {
    const TenantData data = platform.data_of(code).value();
    const auto found = Platform::wait<std::optional<Record>>([&](auto done) {
        data.read([&](Reader& r) { return r.find(data.collection(integrations()), 7); },
                  std::move(done));
    });
    if (!found) return {{"error", found.error().message()}};
    return found->has_value() ? *(*found)->document : json::object();
}

class RestoreSecrets : public OperationsTest {
  protected:
    RestoreSecrets() {
        fill();
        EXPECT_TRUE(store_secret(platform_, "acme").has_value());
    }
    Result<BackupSummary> to_globex(Platform& platform, const std::string& backup) {
        return platform.operations().restore(
            {.tenant = "globex", .backup = backup, .existing = Existing::kReplace, .of = "acme"});
    }
};

// TEN-41, SEC-01, SEC-09
TEST_P(RestoreSecrets, OpenInTheTenantThatGetsTheBackupOfAnother) {
    const BackupRecord backup = operations().back_up_tenant("acme").value();
    EXPECT_EQ(backup.content,
              GetParam() == BuildType::kMssp ? BackupContent::kImage : BackupContent::kDocuments);

    const auto restored = to_globex(platform_, path_of(backup));

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_EQ(read_secret(platform_, "globex"), secret());
    EXPECT_EQ(platform_.texts("globex"), as_filled());
    // Under its own keys: those of the other may go.
    ASSERT_TRUE(operations().erase("acme", Backups::kErase).has_value());
    ASSERT_TRUE(platform_.open().has_value());
    EXPECT_EQ(read_secret(platform_, "globex"), secret());
}

/// Whose backups are documents: an image is not restored in another mode.
class SharedRestoreSecrets : public RestoreSecrets {};

// TEN-41, SEC-01
TEST_P(SharedRestoreSecrets, OpenInAnInstallationOfTheOtherModeWithTheSameKeys) {
    const std::string backup = path_of(operations().back_up_tenant("acme").value());
    Platform other(make_folder(), BuildType::kMssp);
    fs::create_directories(other.state());
    fs::copy(platform_.folder() + "/root-key", other.folder() + "/root-key");
    fs::copy(platform_.state() + "/keys.json", other.state() + "/keys.json");
    other.root_keys = vault::make_file_provider(other.folder() + "/root-key", other.random);
    const auto opened = other.open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    ASSERT_TRUE(other.create("globex").has_value());

    const auto restored = to_globex(other, backup);

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_EQ(read_secret(other, "globex"), secret());
    other.close();
    fs::remove_all(other.folder());
}

// TEN-41, REL-08
TEST_P(RestoreSecrets, NothingIsChangedWhenAKeyIsMissing) {
    vault::KeyRing& ring = platform_.tenants().files()->key_ring();
    const vault::KeyId old = ring.keys("acme")->front().id;
    ASSERT_TRUE(ring.rotate("acme").has_value());
    const BackupRecord backup = operations().back_up_tenant("acme").value();
    ASSERT_TRUE(ring.retire("acme", old).has_value());

    const auto refused = to_globex(platform_, path_of(backup));

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kNotFound);
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
    EXPECT_EQ(read_secret(platform_, "globex"), json::object());
}

// SEC-01, SEC-03
TEST_P(RestoreSecrets, AreMaskedInAnExportAndInClearOnlyWhenThatIsAskedFor) {
    const std::string masked = platform_.folder() + "/masked";
    const std::string open = platform_.folder() + "/open";

    const auto both =
        std::pair(operations().export_data({.tenant = "acme", .directory = masked}),
                  operations().export_data(
                      {.tenant = "acme", .directory = open, .secrets = SecretFields::kOpen}));

    ASSERT_TRUE(both.first.has_value()) << both.first.error().message();
    ASSERT_TRUE(both.second.has_value()) << both.second.error().message();
    EXPECT_THAT(content_of(masked + "/integrations.jsonl"), HasSubstr(R"("***")"));
    EXPECT_THAT(content_of(open + "/integrations.jsonl"), HasSubstr("correct horse"));
    EXPECT_EQ(platform_.files_with("correct horse"),
              std::set<std::string>{"open/integrations.jsonl"});
}

INSTANTIATE_TEST_SUITE_P(BothModes, RestoreSecrets,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

INSTANTIATE_TEST_SUITE_P(Shared, SharedRestoreSecrets, testing::Values(BuildType::kSingleTenant));

}  // namespace
}  // namespace zona::tenancy

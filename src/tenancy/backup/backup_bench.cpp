// Backup and restore of a tenant's 100 MB against copying its file, in the same run and directory,
// both to the disk; `of_cp` is the ratio of the times, more is better. And how long it takes to
// make a tenant. ZONA_BENCH_DIR says where.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <fcntl.h>

#include "os/fd.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/tenants.h"
#include "vault/field_sealer.h"
#include "vault/root_key.h"

namespace zona::tenancy {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using core::Result;

constexpr std::uint64_t kBytes = 100'000'000;

double seconds(Clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

std::string make_folder() {
    const char* base = std::getenv("ZONA_BENCH_DIR");
    std::string name =
        (base == nullptr ? fs::temp_directory_path() : fs::path(base)) / "zona-bench-XXXXXX";
    return ::mkdtemp(name.data());
}

/// Copies as cp does, and syncs.
double copy(const std::string& from, const std::string& to) {
    const auto begin = Clock::now();
    fs::copy_file(from, to, fs::copy_options::overwrite_existing);
    const os::UniqueFd file = os::open_file(to, O_RDWR).value();
    if (!os::sync_data(file.get())) std::abort();
    const double took = seconds(Clock::now() - begin);
    fs::remove(to);
    return took;
}

class Platform {
  public:
    Platform() {
        if (!tenants_.open()) std::abort();
        fill();
    }
    ~Platform() { fs::remove_all(folder_); }
    Platform(const Platform&) = delete;
    Platform& operator=(const Platform&) = delete;

    TenantOperations& operations() { return operations_; }
    /// The one database file of the tenant.
    std::string file() const {
        for (const auto& file : fs::recursive_directory_iterator(folder_ + "/state/tenants/big")) {
            if (file.path().filename() == "data.db") return file.path();
        }
        std::abort();
    }
    const std::string& folder() const { return folder_; }
    template <class T, class Ask>
    static T wait(Ask ask) {
        std::promise<Result<T>> answer;
        auto future = answer.get_future();
        ask(store::Callback<T>([&](Result<T> result) { answer.set_value(std::move(result)); }));
        return future.get().value();
    }
    double create(const std::string& code) {
        const auto begin = Clock::now();
        wait<Tenant>([&](auto done) { tenants_.create({.code = code}, std::move(done)); });
        return seconds(Clock::now() - begin);
    }

  private:
    void fill() {
        create("big");
        const TenantData data =
            wait<TenantData>([&](auto done) { tenants_.data_of("big", std::move(done)); });
        const store::CollectionSpec& spec = *tenant_collections().at(3);
        const boost::json::object document = {{"text", std::string(950, 'x')}};
        std::int64_t id = 0;
        while (fs::file_size(file()) < kBytes) {
            wait<int>([&](auto done) {
                data.write(
                    [&](store::Writer& w) -> Result<int> {
                        for (int i = 0; i < 5000; ++i)
                            ZONA_TRY_VOID(w.insert(data.collection(spec), id + i, document));
                        return 0;
                    },
                    std::move(done));
            });
            id += 5000;
        }
    }
    Result<std::unique_ptr<EncryptedFiles>> open_files() {
        return EncryptedFiles::open({.ring = folder_ + "/state/keys.json",
                                     .root_keys = *root_keys_,
                                     .clock = clock_,
                                     .random = random_,
                                     .log = {},
                                     .page_token_key = core::Secret(std::string(32, 'k'))});
    }

    const std::string folder_ = make_folder();
    core::RealClock clock_;
    core::SystemRandom random_;
    asio::thread_pool blocking_{1};
    std::unique_ptr<vault::RootKeyProvider> root_keys_ =
        vault::make_file_provider(folder_ + "/root-key", random_);
    Tenants tenants_{{.directory = folder_ + "/state"},
                     {.clock = clock_,
                      .random = random_,
                      .log = {},
                      .open_files = [this](RingPlace) { return open_files(); },
                      .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                      .hook = {}}};
    TenantOperations operations_{
        {.backups = folder_ + "/backups", .zona = "bench", .keep = 2},
        {.tenants = tenants_, .clock = clock_, .random = random_, .log = {}}};
};

Platform& platform() {
    static Platform kPlatform;
    return kPlatform;
}

void create_tenant(benchmark::State& state) {
    Platform& zona = platform();
    static int made = 0;
    for (auto _ : state)
        state.SetIterationTime(zona.create("t" + std::to_string(++made)));
}

void back_up(benchmark::State& state) {
    Platform& zona = platform();
    double copied = 0;
    double took = 0;
    for (auto _ : state) {
        copied += copy(zona.file(), zona.folder() + "/copy");
        const auto begin = Clock::now();
        if (!zona.operations().back_up_tenant("big")) std::abort();
        const double one = seconds(Clock::now() - begin);
        took += one;
        state.SetIterationTime(one);
    }
    state.counters["of_cp"] = copied / took;
    state.counters["mb"] = static_cast<double>(fs::file_size(zona.file())) / 1e6;
}

void restore(benchmark::State& state) {
    Platform& zona = platform();
    const auto backup = zona.operations().back_up_tenant("big").value();
    double copied = 0;
    double took = 0;
    for (auto _ : state) {
        copied += copy(zona.folder() + "/backups/" + backup.file, zona.folder() + "/copy");
        const auto begin = Clock::now();
        const auto restored = zona.operations().restore(
            {.tenant = "big", .backup = backup.uuid.to_string(), .existing = Existing::kReplace});
        if (!restored) std::abort();
        const double one = seconds(Clock::now() - begin);
        took += one;
        state.SetIterationTime(one);
    }
    state.counters["of_cp"] = copied / took;
}

BENCHMARK(create_tenant)->UseManualTime()->Iterations(20)->Unit(benchmark::kMillisecond);
BENCHMARK(back_up)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(restore)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace zona::tenancy

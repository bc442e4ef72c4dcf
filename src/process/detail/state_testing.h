/// @file
/// What the tests of the state files share.
#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/fd.h"
#include "process/state_store.h"

namespace zona::process {

/// A private directory that goes with the test; `state` in it is not made yet.
class StateFiles : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "zona-state-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
        directory_ = root_ + "/state";
    }
    void TearDown() override { std::filesystem::remove_all(root_); }

    std::string path(std::string_view name) const { return fmt::format("{}/{}", directory_, name); }
    bool exists(std::string_view name) const { return std::filesystem::exists(path(name)); }
    std::string text(std::string_view name) const { return os::read_file(path(name)).value(); }

    void overwrite(std::string_view name, std::string_view content) const {
        // Truncating instead would make some file systems write it out at once.
        ::unlink(path(name).c_str());
        const os::UniqueFd fd = os::open_file(path(name), O_WRONLY | O_CREAT, 0600).value();
        ASSERT_TRUE(os::write_all(fd.get(), content).has_value());
    }
    /// Flips the bit 0x10 of one byte.
    void damage(std::string_view name, std::size_t at) const {
        std::string content = text(name);
        content.at(at) = static_cast<char>(content.at(at) ^ 0x10);
        overwrite(name, content);
    }

    core::Result<std::unique_ptr<StateStore>> try_open(StateStoreOptions options = {}) const {
        options.directory = directory_;
        return StateStore::open(std::move(options), core::Logger());
    }
    std::unique_ptr<StateStore> open(StateStoreOptions options = {}) const {
        return std::move(try_open(std::move(options)).value());
    }
    LoadedState load() const { return open()->take_loaded(); }

    std::string root_;
    std::string directory_;
};

/// No file may grow beyond `bytes` while this lives: what a full disk does, without a disk.
class FullDisk {
  public:
    explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

  private:
    sighandler_t handler_;
    rlimit before_{};
};

inline core::Uuid id_of(std::uint32_t number) {
    core::Uuid id;
    for (std::size_t i = 0; i < 4; ++i)
        id.bytes.at(i) = static_cast<std::uint8_t>(number >> (8 * i));
    id.bytes[15] = 1;
    return id;
}

inline std::shared_ptr<const StoredApp> make_app(const std::string& name) {
    auto app = std::make_shared<StoredApp>();
    app->spec.name = name;
    app->spec.script = "/srv/" + name;
    app->spec.cwd = "/srv";
    app->spec.args = {"--port", "80"};
    app->caller_environment = {{"PATH", "/usr/bin:/bin"}, {"TOKEN", "s3cret\nof " + name}};
    return app;
}

inline StoredProcess make_process(std::uint32_t number, std::shared_ptr<const StoredApp> app) {
    StoredProcess process;
    process.id = id_of(number);
    process.pm_id = number;
    process.app = std::move(app);
    process.out_file = fmt::format("/logs/{}-out.log", number);
    process.error_file = fmt::format("/logs/{}-error.log", number);
    process.created_at =
        core::SystemTime(std::chrono::nanoseconds(1'767'225'600'123'456'789 + number));
    return process;
}

inline StoredProcess make_process(std::uint32_t number) {
    return make_process(number, make_app(fmt::format("app{}", number)));
}

/// Everything that is kept of a process, as text.
inline std::string describe(const StoredProcess& process) {
    std::string out =
        fmt::format("{} {} {} {} {} {} {} {}/{} {} {} {}:", process.id.to_string(), process.pm_id,
                    process.instance, process.out_file, process.error_file,
                    process.desired == Desired::kRunning ? "running" : "stopped",
                    process.created_at.time_since_epoch().count(), process.app->spec.namespace_,
                    process.app->spec.name, process.app->spec.script, process.app->spec.cwd,
                    fmt::join(process.app->spec.args, ","));
    for (const auto& [name, value] : process.app->caller_environment)
        out += fmt::format(" {}={}", name, value);
    return out;
}

inline std::vector<std::string> describe_all(const std::vector<StoredProcess>& processes) {
    std::vector<std::string> out;
    out.reserve(processes.size());
    for (const StoredProcess& process : processes)
        out.push_back(describe(process));
    return out;
}

/// Waits until everything so far is on the disk.
inline core::Result<void> commit(StateStore& store) {
    std::promise<core::Result<void>> promise;
    auto future = promise.get_future();
    store.commit([&promise](core::Result<void> result) { promise.set_value(std::move(result)); });
    return future.get();
}

}  // namespace zona::process

#include "vault/ring_storage.h"

#include <utility>

#include "os/fd.h"

namespace zona::vault {

using core::Code;
using core::Result;

namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20U;

/// The text of a file; nullopt when there is none.
Result<std::optional<std::string>> read_if_there(const std::string& file) {
    auto text = os::read_file(file, kMostBytes);
    if (text) return std::optional(std::move(*text));
    if (text.error().code() == Code::kNotFound) return std::optional<std::string>{};
    return text.take_error();
}

class RingFile final : public RingStorage {
  public:
    explicit RingFile(std::string path) : path_(std::move(path)) {}

    const std::string& name() const override { return path_; }
    bool is_shared() const override { return false; }

    Result<std::optional<Stored>> read() override {
        ZONA_TRY(auto text, read_if_there(path_));
        if (!text) return std::optional<Stored>();
        return std::optional(Stored{.text = *std::move(text), .generation = kGeneration});
    }

    Result<bool> is_newer(std::int64_t) override { return false; }

    Result<std::int64_t> replace(std::int64_t, const std::string& text,
                                 Previous previous) override {
        // What is to be forgotten leaves the previous generation first: a crash in between leaves
        // the change undone, and not half done.
        if (previous == Previous::kReplaced) {
            ZONA_TRY_VOID(os::replace_file(former_path(), text, 0600));
        } else {
            ZONA_TRY(const auto old, read_if_there(path_));
            if (old) ZONA_TRY_VOID(os::replace_file(former_path(), *old, 0600));
        }
        ZONA_TRY_VOID(os::replace_file(path_, text, 0600));
        return kGeneration;
    }

    Result<std::optional<Former>> previous() override {
        ZONA_TRY(auto text, read_if_there(former_path()));
        if (!text) return std::optional<Former>();
        return std::optional(Former{.name = former_path(), .text = *std::move(text)});
    }

  private:
    /// Nobody else counts.
    static constexpr std::int64_t kGeneration = 1;
    std::string former_path() const { return path_ + ".previous"; }

    const std::string path_;
};

}  // namespace

std::unique_ptr<RingStorage> ring_file(std::string path) {
    return std::make_unique<RingFile>(std::move(path));
}

}  // namespace zona::vault

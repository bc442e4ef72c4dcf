#include "tenancy/encrypted_files.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "os/fd.h"
#include "store/sqlite_database.h"
#include "vault/encrypting_vfs.h"
#include "vault/field_sealer.h"
#include "vault/key_ring.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kCore = "core";

/// The identity of an owner's file of this name: bound into each of its pages.
core::Uuid identity_of(std::string_view owner, std::string_view name) {
    const auto digest = crypto::sha256(fmt::format("zona database 1\n{}\n{}", owner, name));
    core::Uuid id;
    std::ranges::transform(std::span(digest).first(id.bytes.size()), id.bytes.begin(),
                           [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    return id;
}

class RingFiles final : public EncryptedFiles {
  public:
    RingFiles(EncryptedFilesOptions options, std::unique_ptr<vault::KeyRing> ring,
              std::unique_ptr<vault::EncryptingVfs> vfs)
        : options_(std::move(options)), ring_(std::move(ring)), vfs_(std::move(vfs)) {}

    Result<void> begin() {
        ZONA_TRY(auto keys, keys_of(kCore));
        core_fields_.emplace(std::string(kCore), std::move(keys), options_.random);
        return {};
    }

    Result<std::shared_ptr<store::Database>> open_database(
        const std::string& path, std::string_view owner,
        const std::vector<const store::CollectionSpec*>& collections) override {
        ZONA_TRY(auto keys, keys_of(owner));
        const std::string name = path.substr(path.rfind('/') + 1);
        ZONA_TRY_VOID(vfs_->add(path, identity_of(owner, name), std::move(keys)));
        auto opened = store::open_sqlite({.path = path,
                                          .collections = collections,
                                          .page_token_key = options_.page_token_key,
                                          .vfs = vfs_->name(),
                                          .prepare = &vault::prepare_encrypted},
                                         options_.clock, options_.log);
        if (!opened) {
            vfs_->remove(path);
            return opened.take_error();
        }
        {
            const std::lock_guard lock(mutex_);
            open_.emplace(path, owner);
        }
        store::Database* const database = opened->release();
        return std::shared_ptr<store::Database>(database, [this, path](store::Database* closing) {
            {
                const std::lock_guard lock(mutex_);
                open_.erase(path);
            }
            // Who encrypts its pages anew is let finish.
            const std::lock_guard rekeying(rekeying_);
            delete closing;
            vfs_->remove(path);
        });
    }

    Result<bool> rekey(std::string_view owner, std::size_t most_pages) override {
        const std::lock_guard rekeying(rekeying_);
        std::vector<std::string> paths;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [path, whose] : open_) {
                if (whose == owner) paths.push_back(path);
            }
        }
        for (const std::string& path : paths) {
            ZONA_TRY(const bool is_done, vfs_->rekey(path, most_pages));
            if (!is_done) return false;
        }
        return true;
    }

    vault::KeyRing& key_ring() override { return *ring_; }
    vault::RootKeyProvider& root_keys() override { return options_.root_keys; }

    Result<std::shared_ptr<const vault::FieldSealer>> fields(std::string_view owner) override {
        ZONA_TRY(auto keys, keys_of(owner));
        return std::make_shared<const vault::FieldSealer>(std::string(owner), std::move(keys),
                                                          options_.random);
    }

    const vault::FieldSealer& core_fields() const override { return *core_fields_; }

  private:
    Result<std::shared_ptr<const vault::DataKeys>> keys_of(std::string_view owner) {
        auto keys = ring_->tenant(owner);
        if (keys || keys.error().code() != Code::kNotFound) return keys;
        // What was erased is refused here.
        ZONA_TRY_VOID(ring_->add_tenant(owner));
        return ring_->tenant(owner);
    }

    EncryptedFilesOptions options_;
    std::unique_ptr<vault::KeyRing> ring_;
    std::unique_ptr<vault::EncryptingVfs> vfs_;
    std::optional<vault::FieldSealer> core_fields_;
    std::mutex rekeying_;  // held while pages are encrypted anew, and while a database is closed
    std::mutex mutex_;
    std::map<std::string, std::string> open_;  // path to owner; guarded by mutex_
};

}  // namespace

Result<std::unique_ptr<EncryptedFiles>> EncryptedFiles::open(EncryptedFilesOptions options) {
    const vault::KeyRing::Surroundings surroundings{options.clock, options.random};
    ZONA_TRY(const auto present, os::stat_path(options.ring));
    ZONA_TRY(const auto previous, os::stat_path(options.ring + ".previous"));
    const bool is_there = present || previous;
    auto ring = is_there ? vault::KeyRing::open(options.ring, options.root_keys, surroundings)
                         : vault::KeyRing::create(options.ring, options.root_keys, surroundings);
    if (!ring) return ring.take_error();
    // SQLite knows it by a name that no other has.
    static std::atomic<std::uint64_t> made = 0;
    ZONA_TRY(auto vfs, vault::EncryptingVfs::create(
                           {.name = fmt::format("zona-encrypted-{}", ++made)}, options.random));
    auto files = std::make_unique<RingFiles>(std::move(options), *std::move(ring), std::move(vfs));
    ZONA_TRY_VOID(files->begin());
    return std::unique_ptr<EncryptedFiles>(std::move(files));
}

}  // namespace zona::tenancy

#include "tenancy/keys/encrypted_files.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "store/sqlite_engine.h"
#include "vault/encrypting_vfs.h"
#include "vault/field_sealer.h"
#include "vault/key_ring.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kCore = "core";
/// Of pages, for each connection: there are many.
constexpr core::ByteCount kCache = core::ByteCount::mib(2);

/// The identity of an owner's file of this name: bound into each of its pages.
core::Uuid identity_of(std::string_view owner, std::string_view name) {
    const auto digest = crypto::sha256(fmt::format("zona database 1\n{}\n{}", owner, name));
    core::Uuid id;
    std::ranges::transform(std::span(digest).first(id.bytes.size()), id.bytes.begin(),
                           [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    return id;
}

/// Makes the VFS forget the path when the writer is gone.
class KnownFile final : public store::ImageWriter {
  public:
    KnownFile(std::unique_ptr<store::ImageWriter> inner, vault::EncryptingVfs& vfs,
              std::string path)
        : inner_(std::move(inner)), vfs_(vfs), path_(std::move(path)) {}
    ~KnownFile() override {
        inner_.reset();
        vfs_.remove(path_);
    }

    Result<void> write(std::span<const std::byte> pages) override { return inner_->write(pages); }
    Result<void> put(std::uint64_t offset, std::span<const std::byte> pages) override {
        return inner_->put(offset, pages);
    }
    Result<void> finish() override { return inner_->finish(); }
    std::uint64_t bytes() const override { return inner_->bytes(); }
    Result<void> read(std::span<std::byte> into, std::uint64_t offset) override {
        return inner_->read(into, offset);
    }

  private:
    std::unique_ptr<store::ImageWriter> inner_;
    vault::EncryptingVfs& vfs_;
    const std::string path_;
};

class RingFiles final : public EncryptedFiles {
  public:
    RingFiles(EncryptedFilesOptions options, std::unique_ptr<vault::KeyRing> ring,
              std::unique_ptr<vault::EncryptingVfs> vfs,
              std::unique_ptr<store::SqliteEngine> engine)
        : options_(std::move(options)),
          ring_(std::move(ring)),
          vfs_(std::move(vfs)),
          engine_(std::move(engine)) {}

    Result<void> begin() {
        ZONA_TRY(auto keys, keys(kCore));
        core_fields_.emplace(std::string(kCore), std::move(keys), options_.random);
        return {};
    }

    Result<std::shared_ptr<store::Database>> open_database(
        const std::string& path, std::string_view owner,
        const std::vector<const store::CollectionSpec*>& collections) override {
        ZONA_TRY(auto keys, keys(owner));
        ZONA_TRY_VOID(vfs_->add(path, identity_of(owner, name_of(path)), std::move(keys)));
        auto opened = engine_->open({.path = path,
                                     .collections = collections,
                                     .page_token_key = options_.page_token_key,
                                     .vfs = vfs_->name(),
                                     .prepare = &vault::prepare_encrypted,
                                     .cache = kCache});
        if (!opened) {
            vfs_->remove(path);
            return opened.take_error();
        }
        store::SqliteDatabase* const database = opened->release();
        {
            const std::lock_guard lock(mutex_);
            open_[path] = database;
        }
        return std::shared_ptr<store::Database>(database, [this, path](store::Database* closing) {
            {
                const std::lock_guard lock(mutex_);
                open_.erase(path);
            }
            delete closing;
            vfs_->remove(path);
        });
    }

    Result<void> check(const std::string& path) override {
        store::SqliteDatabase* database = nullptr;
        {
            const std::lock_guard lock(mutex_);
            const auto found = open_.find(path);
            if (found != open_.end()) database = found->second;
        }
        if (database == nullptr) return Error(Code::kNotFound, "the database is not open");
        std::promise<Result<void>> answer;
        auto future = answer.get_future();
        database->check([&answer](Result<void> checked) { answer.set_value(std::move(checked)); });
        return future.get();
    }

    vault::EncryptingVfs& vfs() override { return *vfs_; }
    vault::KeyRing& key_ring() override { return *ring_; }
    vault::RootKeyProvider& root_keys() override { return options_.root_keys; }

    Result<std::shared_ptr<const vault::FieldSealer>> fields(std::string_view owner) override {
        ZONA_TRY(auto keys, this->keys(owner));
        return std::make_shared<const vault::FieldSealer>(std::string(owner), std::move(keys),
                                                          options_.random);
    }

    const vault::FieldSealer& core_fields() const override { return *core_fields_; }

    Result<std::unique_ptr<store::ImageWriter>> write_image(const std::string& path,
                                                            std::string_view owner) override {
        ZONA_TRY(auto keys, this->keys(owner));
        ZONA_TRY_VOID(vfs_->add(path, identity_of(owner, name_of(path)), std::move(keys)));
        auto writer = store::ImageWriter::create(path, vfs_->name());
        if (!writer) {
            vfs_->remove(path);
            return writer.take_error();
        }
        return std::make_unique<KnownFile>(*std::move(writer), *vfs_, path);
    }

    Result<std::shared_ptr<const vault::DataKeys>> find_keys(
        std::string_view owner) const override {
        return ring_->tenant(owner);
    }

    Result<std::shared_ptr<const vault::DataKeys>> keys(std::string_view owner) override {
        auto keys = ring_->tenant(owner);
        if (keys || keys.error().code() != Code::kNotFound) return keys;
        auto added = ring_->add_tenant(owner);
        if (added) return ring_->tenant(owner);
        // Another host was quicker; or they were erased, which is refused.
        keys = ring_->tenant(owner);
        if (keys) return keys;
        return added.take_error();
    }

    Result<void> erase_keys(std::string_view owner) override {
        auto erased = ring_->erase(owner);
        if (!erased && erased.error().code() == Code::kNotFound) return {};
        return erased;
    }

    const std::string& ring() const override { return options_.ring; }

  private:
    static std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

    EncryptedFilesOptions options_;
    std::unique_ptr<vault::KeyRing> ring_;
    std::unique_ptr<vault::EncryptingVfs> vfs_;
    std::unique_ptr<store::SqliteEngine> engine_;
    std::optional<vault::FieldSealer> core_fields_;
    std::mutex mutex_;
    std::map<std::string, store::SqliteDatabase*> open_;  // by path; guarded by mutex_
};

using BeginRing = Result<std::unique_ptr<vault::KeyRing>>(std::unique_ptr<vault::RingStorage>,
                                                          vault::RootKeyProvider&,
                                                          vault::KeyRing::Surroundings);

/// Opened, or made if there is none.
Result<std::unique_ptr<vault::KeyRing>> open_ring(EncryptedFilesOptions& options) {
    auto storage =
        options.shared_ring ? std::move(options.shared_ring) : vault::ring_file(options.ring);
    ZONA_TRY(const auto present, storage->read());
    ZONA_TRY(const auto previous, storage->previous());
    const vault::KeyRing::Surroundings surroundings{options.clock, options.random};
    auto* const begin = present || previous ? static_cast<BeginRing*>(&vault::KeyRing::open)
                                            : static_cast<BeginRing*>(&vault::KeyRing::create);
    return begin(std::move(storage), options.root_keys, surroundings);
}

}  // namespace

Result<std::unique_ptr<EncryptedFiles>> EncryptedFiles::open(EncryptedFilesOptions options) {
    ZONA_TRY(auto ring, open_ring(options));
    // SQLite knows it by a name that no other has.
    static std::atomic<std::uint64_t> made = 0;
    ZONA_TRY(auto vfs, vault::EncryptingVfs::create(
                           {.name = fmt::format("zona-encrypted-{}", ++made)}, options.random));
    ZONA_TRY(auto engine, store::SqliteEngine::create({.open_files = options.open_files,
                                                       .idle_readers = options.open_files},
                                                      options.clock, options.log));
    auto files = std::make_unique<RingFiles>(std::move(options), std::move(ring), std::move(vfs),
                                             std::move(engine));
    ZONA_TRY_VOID(files->begin());
    return std::unique_ptr<EncryptedFiles>(std::move(files));
}

}  // namespace zona::tenancy

#include "vault/sealed_file.h"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/testing/temporary_directory.h"
#include "os/fd.h"
#include "vault/testing/connection.h"
#include "vault/testing/fake_keys.h"

namespace zona::vault {
namespace {

using core::Code;

constexpr std::size_t kChunk = 64U << 10U;
constexpr std::size_t kHeader = 48;
constexpr std::size_t kTag = 16;
constexpr std::string_view kPurpose = "backup|acme";

std::string content_of(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        out[i] = static_cast<char>('a' + (i * 7 + i / kChunk) % 26);
    return out;
}

struct Read {
    std::string content;
    Code error = Code::kCancelled;  ///< kCancelled: it was read to its end
};

class SealedFileTest : public testing::Test {
  protected:
    void seal(const std::string& content, std::size_t piece = 10'000) {
        const auto fd = os::open_file(path_, O_WRONLY | O_CREAT | O_TRUNC).value();
        auto writer = SealedWriter::create(fd.get(), *keys_, kPurpose, random_).value();
        for (std::size_t at = 0; at < content.size(); at += piece) {
            const std::string_view part = std::string_view(content).substr(at, piece);
            ASSERT_TRUE(writer.write(std::as_bytes(std::span(part))).has_value());
        }
        ASSERT_TRUE(writer.finish().has_value());
    }

    Read read(std::string_view purpose = kPurpose, const DataKeys* keys = nullptr) {
        const auto fd = os::open_file(path_, O_RDONLY).value();
        auto reader = SealedReader::open(fd.get(), keys == nullptr ? *keys_ : *keys, purpose);
        if (!reader) return {.content = {}, .error = reader.error().code()};
        Read out;
        std::vector<std::byte> piece(7'777);
        for (;;) {
            const auto got = reader->read(piece);
            if (!got) {
                out.error = got.error().code();
                EXPECT_EQ(reader->read(piece).error().code(), out.error) << "an error stays";
                return out;
            }
            if (*got == 0) return out;
            out.content.append(reinterpret_cast<const char*>(piece.data()), *got);
        }
    }

    core::TemporaryDirectory directory_;
    core::SystemRandom random_;
    std::shared_ptr<FakeKeys> keys_ = std::make_shared<FakeKeys>(1);
    std::string path_ = directory_.path() + "/file";
};

// SEC-04, SEC-09
TEST_F(SealedFileTest, GivesBackWhatWasWrittenWhateverItsLength) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kChunk - 1, kChunk, kChunk + 1,
                                   2 * kChunk, 3 * kChunk + 5}) {
        const std::string content = content_of(size);
        seal(content);
        const Read out = read();
        EXPECT_EQ(out.error, Code::kCancelled) << size;
        EXPECT_TRUE(out.content == content) << size;
        const std::string bytes = bytes_of(path_);
        EXPECT_EQ(bytes.size(),
                  kHeader + size + kTag * std::max<std::size_t>(1, (size + kChunk - 1) / kChunk));
        if (size > 100) EXPECT_EQ(bytes.find(content.substr(50, 20)), std::string::npos);
    }
}

// SEC-04, SEC-09
TEST_F(SealedFileTest, ACutAnywhereIsNoticed) {
    const std::string content = content_of(2 * kChunk + 100);
    seal(content);
    const std::string good = bytes_of(path_);
    std::vector<std::size_t> sizes{0,
                                   1,
                                   kHeader - 1,
                                   kHeader,
                                   kHeader + kTag,
                                   kHeader + kChunk + kTag,
                                   kHeader + 2 * (kChunk + kTag),
                                   good.size() - 1,
                                   good.size() - kTag};
    for (std::size_t size = 100; size < good.size(); size += 4'999)
        sizes.push_back(size);
    for (const std::size_t size : sizes) {
        put_bytes(path_, good.substr(0, size));
        const Read out = read();
        EXPECT_EQ(out.error, Code::kConflict) << size;
        EXPECT_TRUE(content.starts_with(out.content)) << size;
        EXPECT_LT(out.content.size(), content.size());
    }
    put_bytes(path_, good + "x");
    EXPECT_EQ(read().error, Code::kConflict) << "something behind the end";
}

// SEC-04, SEC-09
TEST_F(SealedFileTest, AChangedByteIsNoticedAndNothingOfItsChunkComesOut) {
    const std::string content = content_of(kChunk + 300);
    seal(content);
    const std::string good = bytes_of(path_);
    for (std::size_t at = 0; at < good.size(); at += at < 200 ? 1 : 997) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x20);
        put_bytes(path_, bad);
        const Read out = read();
        ASSERT_NE(out.error, Code::kCancelled) << at;
        ASSERT_EQ(out.content.size(), at < kHeader + kChunk + kTag ? 0 : kChunk) << at;
    }
}

// SEC-04, SEC-09
TEST_F(SealedFileTest, ChunksCannotBeExchangedLeftOutOrTakenFromAnotherFile) {
    const std::string content = content_of(4 * kChunk);
    seal(content);
    const std::string good = bytes_of(path_);
    seal(content);
    const std::string twin = bytes_of(path_);
    const auto chunk = [](const std::string& file, std::size_t i) {
        return file.substr(kHeader + i * (kChunk + kTag), kChunk + kTag);
    };
    const std::string header = good.substr(0, kHeader);
    const std::pair<std::string_view, std::string> kForged[] = {
        {"exchanged", header + chunk(good, 1) + chunk(good, 0) + chunk(good, 2) + chunk(good, 3)},
        {"left out", header + chunk(good, 0) + chunk(good, 2) + chunk(good, 3)},
        {"twice", header + chunk(good, 0) + chunk(good, 0) + chunk(good, 2) + chunk(good, 3)},
        {"without the last", header + chunk(good, 0) + chunk(good, 1) + chunk(good, 2)},
        {"of a file of the same content", header + chunk(good, 0) + chunk(twin, 1)},
        {"the other file's header", twin.substr(0, kHeader) + good.substr(kHeader)}};
    for (const auto& [what, bytes] : kForged) {
        put_bytes(path_, bytes);
        EXPECT_EQ(read().error, Code::kConflict) << what;
    }
}

// SEC-01, SEC-09
TEST_F(SealedFileTest, OpensForItsPurposeAndTenantOnly) {
    seal(content_of(100));
    EXPECT_EQ(read("backup|other").error, Code::kConflict);
    const FakeKeys others(2);
    EXPECT_EQ(read(kPurpose, &others).error, Code::kConflict);
    keys_->rotate();
    EXPECT_EQ(read().error, Code::kCancelled) << "under the key before the rotation";
    keys_->forget(KeyId{1});
    EXPECT_EQ(read().error, Code::kNotFound);
    put_bytes(path_, "SQLite format 3, or anything else that has nothing to do with it");
    EXPECT_EQ(read().error, Code::kConflict);
}

// SEC-09
TEST_F(SealedFileTest, GoesThroughAPipeAndSaysItsKey) {
    const std::string content = content_of(3 * kChunk + 7);
    os::Pipe pipe = os::make_pipe().value();
    std::jthread sender([&] {
        const os::UniqueFd fd = std::move(pipe.write);
        auto writer = SealedWriter::create(fd.get(), *keys_, kPurpose, random_).value();
        EXPECT_TRUE(writer.write(std::as_bytes(std::span(content))).has_value());
        EXPECT_TRUE(writer.finish().has_value());
        EXPECT_EQ(writer.finish().error().code(), Code::kConflict);
    });
    auto reader = SealedReader::open(pipe.read.get(), *keys_, kPurpose).value();
    EXPECT_EQ(reader.key(), KeyId{1});
    std::string out;
    std::vector<std::byte> piece(100'000);
    for (;;) {
        const std::size_t got = reader.read(piece).value();
        if (got == 0) break;
        out.append(reinterpret_cast<const char*>(piece.data()), got);
    }
    EXPECT_TRUE(out == content);
}

// SEC-09
TEST_F(SealedFileTest, AFullDiskIsAnErrorAndTheFileHasNoEnd) {
    const auto full = os::open_file("/dev/full", O_WRONLY).value();
    EXPECT_EQ(SealedWriter::create(full.get(), *keys_, kPurpose, random_).error().code(),
              Code::kResourceExhausted);
}

}  // namespace
}  // namespace zona::vault

#include "cache/redis/reply.h"

#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <hiredis/read.h>

namespace zona::cache::redis {
namespace {

using core::Code;
using core::Error;
using Kind = Reply::Kind;

/// The answer's place: in its parent, which has room for all of its elements, or on its own.
Reply* place(const redisReadTask* task, Kind kind) {
    Reply* reply = nullptr;
    if (task->parent == nullptr) {
        reply = new Reply();
    } else {
        auto* parent = static_cast<Reply*>(task->parent->obj);
        reply = &parent->elements[static_cast<std::size_t>(task->idx)];
    }
    reply->kind = kind;
    return reply;
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
    Kind kind = Kind::kText;
    if (task->type == REDIS_REPLY_STATUS) kind = Kind::kStatus;
    if (task->type == REDIS_REPLY_ERROR) kind = Kind::kError;
    Reply* reply = place(task, kind);
    reply->text.assign(text, size);
    return reply;
}

void* make_array(const redisReadTask* task, int size) {
    // What a server announces takes no memory before it has come; this much may.
    if (std::cmp_greater(size, ReplyReader::kMostElements)) return nullptr;
    Reply* reply = place(task, Kind::kArray);
    reply->elements.resize(static_cast<std::size_t>(size));
    return reply;
}

void* make_integer(const redisReadTask* task, long long number) {
    Reply* reply = place(task, Kind::kInteger);
    reply->integer = number;
    return reply;
}

void* make_nil(const redisReadTask* task) {
    return place(task, Kind::kNil);
}

/// Called for whole answers alone: elements go with them.
void free_reply(void* reply) {
    delete static_cast<Reply*>(reply);
}

/// With what stands around it.
constexpr std::size_t kLongestNumber = 25;

void append_number(std::string& out, char kind, std::size_t number) {
    std::array<char, kLongestNumber> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    out += kind;
    out.append(text.data(), end).append("\r\n");
}

redisReplyObjectFunctions functions{make_text, make_array, make_integer, make_nil, free_reply};

}  // namespace

void ReplyReader::Free::operator()(redisReader* reader) const noexcept {
    redisReaderFree(reader);
}

ReplyReader::ReplyReader() : reader_(redisReaderCreateWithFunctions(&functions)) {
    if (!reader_) throw std::bad_alloc();
}

core::Result<void> ReplyReader::feed(std::string_view bytes) {
    if (reader_->len - reader_->pos + bytes.size() > kMostBytes)
        return Error(Code::kTooLarge, "an answer of Redis is larger than 64 MiB");
    if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) == REDIS_OK) return {};
    return Error(Code::kUnavailable, fmt::format("not Redis' protocol: {}", reader_->errstr));
}

core::Result<std::optional<Reply>> ReplyReader::next() {
    void* made = nullptr;
    if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK)
        return Error(Code::kUnavailable, fmt::format("not Redis' protocol: {}", reader_->errstr));
    if (made == nullptr) return std::optional<Reply>();
    const std::unique_ptr<Reply> reply(static_cast<Reply*>(made));
    return std::optional<Reply>(std::move(*reply));
}

std::string command(std::span<const std::string_view> words) {
    std::size_t size = kLongestNumber;
    for (const std::string_view word : words)
        size += word.size() + kLongestNumber;
    std::string out;
    out.reserve(size);
    append_number(out, '*', words.size());
    for (const std::string_view word : words) {
        append_number(out, '$', word.size());
        out.append(word).append("\r\n");
    }
    return out;
}

std::string command(std::initializer_list<std::string_view> words) {
    return command(std::span(words.begin(), words.size()));
}

}  // namespace zona::cache::redis

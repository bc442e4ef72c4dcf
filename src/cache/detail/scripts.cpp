#include "cache/detail/scripts.h"

#include <array>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace zona::cache::detail {
namespace {

/// A week: states of tenants that are gone go, too.
constexpr std::string_view kBegin = R"(
local function begin(state, base)
    if redis.call('EXISTS', state) == 0 then
        redis.call('HSET', state, 's', base, 'b', string.format('%019.0f', base))
    end
    redis.call('PEXPIRE', state, 604800000)
end
)";

constexpr std::string_view kAdvance = R"(
local function advance(state, base)
    begin(state, base)
    return string.format('%019.0f', redis.call('HINCRBY', state, 's', 1))
end
)";

/// A newer version, or a floor above it, stands in the way. `seen`: what whoever has the value has
/// heard of; a write has no need of it.
constexpr std::string_view kBlocked = R"(
local function blocked(key, version, seen)
    local old = redis.call('GETRANGE', key, 0, 38)
    local kind = string.sub(old, 1, 1)
    if kind == 'V' then return string.sub(old, 2, 20) > version end
    if kind ~= 'T' then return false end
    return string.sub(old, 2, 20) > version or (seen and string.sub(old, 21, 39) > seen)
end
local function store(value, number, ttl)
    value = string.sub(value, 1, 20) .. number .. string.sub(value, 21)
    redis.call('SET', KEYS[1], value, 'PX', ttl)
end
)";

std::string joined(std::initializer_list<std::string_view> parts) {
    std::string out;
    for (const std::string_view part : parts)
        out += part;
    return out;
}

}  // namespace

Script::Script(std::string text) : source(std::move(text)) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(source.data(), source.size(), digest.data(), &size, EVP_sha1(), nullptr);
    for (unsigned i = 0; i < size; ++i)
        fmt::format_to(std::back_inserter(sha1), "{:02x}", digest[i]);
}

const Script& Scripts::learn() {
    static const Script script(joined({kBegin, R"(
begin(KEYS[1], ARGV[1])
return redis.call('HGET', KEYS[1], 's')
)"}));
    return script;
}

const Script& Scripts::put() {
    static const Script script(joined({kBlocked, R"(
local state = redis.call('HMGET', KEYS[2], 'b', 'g')
if not state[1] or state[1] > ARGV[2] then return -1 end
if state[2] and state[2] > ARGV[2] then return 0 end
if blocked(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
store(ARGV[4], ARGV[2], ARGV[3])
return 1
)"}));
    return script;
}

const Script& Scripts::write() {
    static const Script script(joined({kBegin, kAdvance, kBlocked, R"(
local number = advance(KEYS[2], ARGV[4])
if not blocked(KEYS[1], ARGV[1], nil) then store(ARGV[3], number, ARGV[2]) end
redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. number .. ' ' .. ARGV[7])
return number
)"}));
    return script;
}

const Script& Scripts::remove() {
    static const Script script(joined({kBegin, kAdvance, R"(
local floor = ARGV[1]
local old = redis.call('GETRANGE', KEYS[1], 0, 19)
if string.sub(old, 2, 20) > floor then floor = string.sub(old, 2, 20) end
local number = advance(KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], 'T' .. floor .. number, 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[5] .. ' ' .. number .. ' ' .. ARGV[6])
return number
)"}));
    return script;
}

const Script& Scripts::forget() {
    static const Script script(joined({kBegin, kAdvance, R"(
local number = advance(KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[5], number)
redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. number .. ' ' .. ARGV[4])
return number
)"}));
    return script;
}

}  // namespace zona::cache::detail

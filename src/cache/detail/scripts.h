/// @file
/// What Redis does in one step, in Lua.
///
/// Each tenant has a hash, its *state*: `s`, the number of its last news; `b`, the number at which
/// it began; `g`, that of the last news that was about more than one key; and for marks of tags
/// those of their last news. Whoever loads has heard the news up to some number (`seen`); a value
/// of a load that has not heard of what happened to its key or group is not kept. What is kept has
/// `seen`, or the number of the write, behind its version, for readers to compare with the marks.
/// A key that was removed leaves a *floor* for a while: `T`, the version below which nothing is
/// kept, the number of its news. Numbers are texts of 19 digits, which compare as they should where
/// Lua's own numbers lose digits.
#pragma once

#include <string>
#include <string_view>

namespace zona::cache::detail {

/// A script, and what it is called by once Redis knows it.
struct Script {
    explicit Script(std::string text);
    std::string source;
    std::string sha1;
};

/// The scripts. Source: Redis' EVALSHA.
struct Scripts {
    /// KEYS state; ARGV base. The number of the last news; a state that is not there begins at
    /// `base`.
    static const Script& learn();
    /// KEYS key state; ARGV version seen ttl value. 1: kept; 0: something newer is known; -1: the
    /// state is gone, or is another one by now.
    static const Script& put();
    /// KEYS key state; ARGV version ttl value base channel origin news. Keeps what was written,
    /// unless something newer is there, and tells it. The number of the news.
    static const Script& write();
    /// KEYS key state; ARGV floor ttl base channel origin news. Leaves a floor and tells it.
    static const Script& remove();
    /// KEYS state; ARGV base channel origin news field. Has a mark of the state tell of it, and
    /// everybody: `g`, from which on no older load of the tenant is kept, or that of a tag.
    static const Script& forget();
};

}  // namespace zona::cache::detail

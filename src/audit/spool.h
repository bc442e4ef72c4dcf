/// @file
/// Spool: entries on their way into a chain, in files of this host, so that they outlive the daemon
/// and whatever they are to be put into.
///
/// add() writes to the file before it returns: the death of the daemon loses nothing from then on.
/// Against a power cut sync() is called for what could not be taken over at once; what can is in a
/// database a moment later, which syncs by itself. What a chain has taken is marked there with its
/// number (chain.h), so an entry that is found here again after a death is not put in twice.
///
/// Files: `FIRST.spool`, FIRST being the number of its first record in 20 digits: a line "zona
/// audit spool 1", a line with the spool's id, then records: size of the text 4 bytes, first 8
/// bytes of the SHA-256 of all that follows, number 8 bytes, text: the scope, a newline, the entry
/// as JSON; numbers little endian. What a death has left half written at the end of the last file
/// is cut off; a file that is damaged elsewhere is kept as `FIRST.damaged` once what could be read
/// of it is taken. Source: AUDIT-16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "audit/chain.h"
#include "core/byte_count.h"
#include "core/log.h"
#include "core/random.h"
#include "core/result.h"
#include "os/fd.h"

namespace zona::audit {

/// Where it is, and how much it may hold.
struct SpoolOptions {
    std::string directory;                              ///< absolute; made if it is not there
    core::ByteCount limit = core::ByteCount::mib(256);  ///< of all files
    core::ByteCount segment = core::ByteCount::mib(4);  ///< of one, about
};

/// One record of a spool's file; the text is valid as long as what it was read from.
struct SpoolRecord {
    std::int64_t number = 0;
    std::string_view scope;
    std::string_view entry;  ///< JSON
};
/// How the entries lie on the disk: sealed, each bound to its number. Both from any thread.
struct SpoolSeal {
    /// @{
    /// Errors of both: kUnavailable: the keys cannot be had now; kConflict, kNotFound: what does
    /// not open any more.
    std::function<core::Result<std::string>(std::int64_t number, const std::string& text)> seal{};
    std::function<core::Result<std::string>(std::int64_t number, const std::string& sealed)> open{};
    /// @}
};

/// What is in a spool's file.
struct SpoolContent {
    std::string_view id;  ///< of the spool; empty: it is no spool's file
    std::vector<SpoolRecord> records;
    std::size_t good = 0;  ///< bytes up to the end of the last good record
};
/// Reads a file as far as it is good; for any bytes.
SpoolContent read_spool(std::string_view content);

/// Any thread.
class Spool {
  public:
    /// Opens what an earlier daemon has left, or makes a new one. One at a time for a directory:
    /// the home's lock sees to that. Errors: from errno.
    static core::Result<std::unique_ptr<Spool>> open(SpoolOptions options, core::Random& random,
                                                     core::Logger log);
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    /// Entries are sealed from here on; before the first add() and peek(). Without it they lie in
    /// clear: for tests.
    void set_seal(SpoolSeal seal) { seal_ = std::move(seal); }
    /// What tells it from other spools, and from one that was here before.
    const std::string& id() const { return id_; }

    /// Writes an entry for a scope (Scope::code()) and gives its number. Errors: kResourceExhausted
    /// when it is full; from errno: nothing was added.
    core::Result<std::int64_t> add(const std::string& scope, const Entry& entry);
    /// Whether another entry finds room: a change that could not be recorded is refused before it
    /// is begun.
    bool has_room() const;
    /// Bytes of all files.
    std::uint64_t size() const;

    /// The scopes that entries wait for.
    std::vector<std::string> scopes() const;
    /// The first entries that wait for a scope. In place of one that cannot be read any more, and
    /// is told of in the log, there is one that says so. Errors: from errno; kUnavailable: the keys
    /// cannot be had now.
    core::Result<std::vector<Spooled>> peek(const std::string& scope, std::size_t limit) const;
    /// A scope's entries up to this number are in a chain: they are forgotten, and files of which
    /// all are.
    void done(const std::string& scope, std::int64_t number);

    /// Returns when what was added before survives a power cut. Errors: from errno.
    core::Result<void> sync();

  private:
    struct Segment;
    struct Place {
        std::int64_t number = 0;
        std::shared_ptr<Segment> segment;
        std::uint64_t offset = 0;  ///< of the text
        std::uint32_t length = 0;
    };
    Spool(SpoolOptions options, core::Logger log);
    core::Result<void> load(core::Random& random);
    core::Result<void> load(const std::string& name, bool is_last);
    core::Result<Entry> entry_in(std::int64_t number, std::string text) const;
    core::Result<void> begin_segment();
    void let_go(Segment& segment);

    const SpoolOptions options_;
    const core::Logger log_;
    std::string id_;
    SpoolSeal seal_;
    mutable std::mutex mutex_;
    // All guarded by mutex_.
    std::map<std::string, std::deque<Place>, std::less<>> waiting_;
    std::shared_ptr<Segment> current_;
    std::vector<std::shared_ptr<Segment>> segments_;  ///< all, the current one last
    std::int64_t next_ = 1;
    std::uint64_t bytes_ = 0;
};

}  // namespace zona::audit

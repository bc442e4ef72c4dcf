/// @file
/// The shared process table: the memory in which a process survives the death of its supervisor.
///
/// One file, `run/table`, mapped by the keeper and the daemon. It is written in an order that lets
/// either of them, or a successor of both, tell after a kill at any instruction which children
/// exist:
///
///   spawn  pid = 0 → state INTENT → clone (the kernel stores pid before the child runs) → state
///   RUNNING exit   zombie seen (WNOWAIT) → exit fields → state EXITED → zombie consumed then
///   output drained → exit appended to the history → history = incarnation → next INTENT, or FREE
///
/// So INTENT with pid 0, once the dead daemon has been waited for, means that no child exists, and
/// with a pid that one does. Adding a field means a new kTableVersion. The header includes nothing
/// but integers: the keeper links no C++ library.
///
/// Source: references of PM-08, REL-20, REL-21; clone(2) CLONE_PARENT_SETTID, waitid(2) WNOWAIT.
#pragma once

#include <stdint.h>

namespace zona::process {

/// An integer in shared memory. Loads acquire, stores release.
template <class T>
class Shared {
  public:
    T load() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }
    /// Makes what this thread wrote before visible to whoever loads it.
    void store(T value) { __atomic_store_n(&value_, value, __ATOMIC_RELEASE); }
    /// Stores `to` if the value is `from`; whether it did.
    bool replace(T from, T to) {
        return __atomic_compare_exchange_n(&value_, &from, to, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE);
    }
    /// For clone(2), which writes it itself.
    T* address() { return &value_; }

  private:
    T value_;
};

/// What a slot says after a death of those who write it.
enum class SlotState : uint8_t {
    kFree = 0,     ///< nobody's
    kIdle = 1,     ///< belongs to a process that has no child now
    kIntent = 2,   ///< a clone is about to happen, or has
    kRunning = 3,  ///< pid lives, or is a zombie nobody has recorded yet
    kExited = 4,   ///< the exit fields are valid
};

/// Which FIFOs of a slot the keeper holds open.
enum SlotStreams : uint32_t {
    kStreamOut = 1U << 0U,
    kStreamErr = 1U << 1U,
    kStreamIn = 1U << 2U,
};

/// What somebody asked for and what is therefore under way.
enum class Asked : uint32_t {
    kNothing = 0,
    kStop = 1,
    kRestart = 2,
    kDelete = 3,
};

/// One process. All times are CLOCK_REALTIME nanoseconds.
struct Slot {
    Shared<uint64_t> word;  ///< incarnation << 8 | SlotState: one atomic word
    Shared<int32_t> pid;
    uint32_t streams;  ///< SlotStreams in use
    uint64_t
        start_ticks;  ///< field 22 of /proc/PID/stat: tells a pid from its reuse; 0 = not read yet
    int64_t spawned_ns;
    int64_t exited_ns;
    int32_t exit_how;     ///< CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0 = unknown
    int32_t exit_status;  ///< exit code or signal
    int64_t user_us;
    int64_t system_us;
    int64_t max_rss_kb;
    Shared<uint64_t> history;   ///< the last incarnation whose exit is in the history file
    uint8_t process_id[16];     ///< UUID of the process
    Shared<uint32_t> asked;     ///< an Asked: why the present child is being ended
    Shared<uint32_t> restarts;  ///< counters live here so that no restart waits for a file
    Shared<uint32_t> unstable_restarts;
    Shared<uint32_t> backoff_ms;  ///< the last exponential delay; 0 = none yet
    uint64_t out_begin;           ///< size of the log files when this incarnation began
    uint64_t err_begin;
    int64_t restart_at_ns;   ///< when a waiting restart is due; 0 = none
    Shared<uint32_t> phase;  ///< a Phase of lifecycle.h, for the next daemon
    /// Not 0: pid, with start_ticks, is a child of this keeper or of its daemon. Then nobody else
    /// can reap it, so while the state is RUNNING the pid is that process and no reuse of it. A
    /// keeper clears it in all slots when it starts.
    Shared<uint32_t> of_keeper;
    /// The keeper that has told the daemon that it holds the FIFOs of `streams`: its pid, so that
    /// no successor is taken at its word. 0: none has. A keeper clears it in all slots when it
    /// starts.
    Shared<int32_t> held_by;
    uint32_t reserved_word;
    uint64_t reserved[5];

    uint64_t incarnation() const { return word.load() >> 8U; }
    SlotState state() const { return static_cast<SlotState>(word.load() & 0xFFU); }
    /// The value of `word`.
    static uint64_t make_word(uint64_t incarnation, SlotState state) {
        return incarnation << 8U | static_cast<uint64_t>(state);
    }
};
static_assert(sizeof(Slot) == 192, "the layout is shared between versions");

/// What the file begins with.
inline constexpr char kTableMagic[8] = {'Z', 'O', 'N', 'A', 'T', 'B', 'L', '\n'};
/// Of the layout; a file of a newer one is refused (judge_table).
inline constexpr uint32_t kTableVersion = 1;
/// The most processes of one zona; fixed, for the file is mapped once.
inline constexpr uint32_t kTableSlots = 16384;

inline constexpr uint32_t kStopBegun =
    1;  ///< an ordered stop is under way; a new daemon goes on with it
inline constexpr uint32_t kStopDone =
    2;  ///< it was finished: the slots say nothing about what should run

/// The first page of the file.
struct TableHeader {
    char magic[8];
    uint32_t version;
    uint32_t slot_size;
    uint32_t slot_count;
    Shared<uint32_t> used;  ///< slots at and above this were never used
    char boot_id[40];  ///< /proc/sys/kernel/random/boot_id, NUL-terminated: another boot, another
                       ///< table
    Shared<int32_t> keeper_pid;
    Shared<int32_t> daemon_pid;
    Shared<uint64_t>
        daemons;  ///< how many daemons this keeper, or those it came from, have started
    Shared<uint32_t>
        stopping;  ///< not 0: an ordered stop is under way; a new daemon goes on with it
    uint8_t reserved[4096 - 84];
};
static_assert(sizeof(TableHeader) == 4096, "slots begin at the second page");

/// The size of the file.
inline constexpr uint64_t kTableBytes = sizeof(TableHeader) + uint64_t{kTableSlots} * sizeof(Slot);

/// Why a table file cannot be used as it is.
enum class TableVerdict : uint8_t {
    kGood,
    kEmpty,         ///< new or another boot's: initialise it
    kForeign,       ///< not a table, or damaged
    kNewerVersion,  ///< made by a newer zona
};

/// Judges the first `size` bytes of a table file against this boot. Reads nothing beyond `size`.
inline TableVerdict judge_table(const void* data, uint64_t size, const char* boot_id) {
    if (size == 0) return TableVerdict::kEmpty;
    if (size < sizeof(TableHeader)) return TableVerdict::kForeign;
    const TableHeader& header = *static_cast<const TableHeader*>(data);
    bool zero = true;
    for (unsigned i = 0; i < sizeof header.magic; ++i) {
        if (header.magic[i] != 0) zero = false;
    }
    if (zero) return TableVerdict::kEmpty;
    for (unsigned i = 0; i < sizeof header.magic; ++i) {
        if (header.magic[i] != kTableMagic[i]) return TableVerdict::kForeign;
    }
    bool same_boot = true;
    for (unsigned i = 0; i < sizeof header.boot_id; ++i) {
        if (header.boot_id[i] != boot_id[i]) same_boot = false;
        if (boot_id[i] == 0 || !same_boot) break;
    }
    if (!same_boot) return TableVerdict::kEmpty;
    if (header.version > kTableVersion) return TableVerdict::kNewerVersion;
    if (header.version != kTableVersion || header.slot_size != sizeof(Slot) ||
        header.slot_count != kTableSlots || header.used.load() > kTableSlots ||
        size < kTableBytes) {
        return TableVerdict::kForeign;
    }
    return TableVerdict::kGood;
}

}  // namespace zona::process

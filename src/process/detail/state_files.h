/// @file
/// The directory state/: names, generations, and files that are set aside.
///
/// No file that could not be read is ever deleted or written over: it gets another name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/byte_count.h"
#include "core/result.h"

namespace zona::process::detail {

inline constexpr std::string_view kSnapshot = "snapshot";
inline constexpr std::string_view kSaved = "saved";

/// `snapshot.json`, `snapshot.previous.json`.
std::string current_name(std::string_view stem);
std::string previous_name(std::string_view stem);
/// `journal.7`.
std::string journal_name(std::uint64_t segment);

/// What becomes of the current file when a new one is written.
enum class Former : std::uint8_t {
    kIsPrevious,  ///< it becomes the previous generation
    kIsGone,      ///< there is none, or it was set aside
};

class StateDirectory {
  public:
    explicit StateDirectory(std::string path) : path_(std::move(path)) {}

    /// Makes the directory, mode 0700, if it is not there. Errors: as mkdir(2).
    core::Result<void> make() const;
    std::string path_of(std::string_view name) const;

    /// nullopt: no such file. Errors: kTooLarge over `limit`, others as open(2) and read(2).
    core::Result<std::optional<std::string>> read(std::string_view name,
                                                  core::ByteCount limit) const;
    /// The numbers of the journal segments, ascending.
    core::Result<std::vector<std::uint64_t>> segments() const;

    /// Writes a new generation: temporary file, fsync, rename, fsync of the directory. At every
    /// moment the old or the new text is there, the old one maybe as the previous generation only.
    core::Result<void> write_generation(std::string_view stem, std::string_view text,
                                        Former former) const;

    /// Renames `name` to `name.damaged` (or `.damaged.2` ...), and returns that. Missing is
    /// success. Errors: kConflict with a hundred of them; as rename(2).
    core::Result<std::string> set_aside(std::string_view name) const;

    core::Result<void> remove(std::string_view name) const;
    core::Result<void> sync() const;

  private:
    std::string path_;
};

/// The refusal to touch what a newer version wrote.
core::Error newer_format(std::string_view file, std::int64_t format);

}  // namespace zona::process::detail

/// @file
/// RingStorage: where the text of a key ring lies: a file of one host's, or a place that several
/// hosts share.
///
/// What is stored is whole, authentic or refused by KeyRing, and of no use without the root key: a
/// storage has no part in that. Source: SEC-06, SEC-07.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"

namespace zona::vault {

/// Blocks; one call at a time.
class RingStorage {
  public:
    /// A ring's text, and the number of the change that put it there.
    struct Stored {
        std::string text;
        std::int64_t generation = 0;  ///< above 0
    };
    /// What happens to the previous text with a change.
    enum class Previous : std::uint8_t {
        kKept,
        kReplaced,  ///< by the new one, first: what is to be forgotten is in neither
    };

    RingStorage() = default;
    RingStorage(const RingStorage&) = delete;
    RingStorage& operator=(const RingStorage&) = delete;
    virtual ~RingStorage() = default;

    /// Where it is, for messages.
    virtual const std::string& name() const = 0;
    /// Whether others may change it.
    virtual bool is_shared() const = 0;
    /// What is there; nothing: no ring. Errors: those of reading.
    virtual core::Result<std::optional<Stored>> read() = 0;
    /// Whether there is a generation after `known`, without reading it; `known` itself is not
    /// looked for. Errors: those of reading.
    virtual core::Result<bool> is_newer(std::int64_t known) = 0;
    /// Puts `text` in place of the generation `before`, 0: of nothing. Gives the new generation.
    /// Errors: kConflict, if it is shared: another generation is there. Those of writing: it may be
    /// there or not, and read() tells.
    virtual core::Result<std::int64_t> replace(std::int64_t before, const std::string& text,
                                               Previous previous) = 0;
    /// The text before, to go back to if the present one is damaged, and what it is called.
    struct Former {
        std::string name;
        std::string text;
    };
    virtual core::Result<std::optional<Former>> previous() { return std::optional<Former>(); }
};

/// The file at the absolute `path`, mode 0600, and PATH.previous beside it. It belongs to one
/// process, which is not checked here.
std::unique_ptr<RingStorage> ring_file(std::string path);

}  // namespace zona::vault

/// @file
/// Selectors: how commands and requests name processes.
///
/// `all`, a pm_id, a UUID, a name, a namespace, `ns:NAMESPACE`, `/regex/` over names. Pure
/// functions over a view of the list; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/result.h"

namespace zona::process {

/// What a selector can see of a process. The texts are borrowed.
struct SelectableProcess {
    std::uint32_t pm_id = 0;
    core::Uuid id;
    std::string_view name;
    std::string_view namespace_;
};

/// One parsed selector: a value; copies share the compiled expression.
///
/// | Text | Selects |
/// |---|---|
/// | `all` | every process; none is no error |
/// | digits | the process with that pm_id |
/// | UUID | the process with that id, else those with that name |
/// | `/expression/` | those with exactly that name, else those whose name holds a match |
/// | `ns:X` | those with exactly that name, else those in namespace X |
/// | other | those with that name, else those in that namespace |
/// A name comes first wherever a name can look like something else: foreign files may have such
/// names.
class Selector {
  public:
    /// Longest text, brackets of an expression included.
    static constexpr std::size_t kMaxBytes = 256;
    /// The product of an expression's counted repetitions, `(a{4}){8}` is 32: it bounds the
    /// automaton.
    static constexpr std::size_t kMaxRepetition = 32;

    /// Errors  kInvalidArgument: empty, over kMaxBytes, a control character, `ns:` without a name,
    ///         a number that no pm_id can have, an expression that is malformed, too large or has
    ///         back references.
    static core::Result<Selector> parse(std::string_view text);

    const std::string& text() const { return text_; }

    /// The indexes of the selected processes, ascending.
    ///
    /// Expressions are ECMAScript's without back references and run in time polynomial in the
    /// name's length, so that no request can hold up supervision.
    ///
    /// Errors  kNotFound: nothing is selected (but for `all`); the details' hints name the nearest
    ///         names. kInvalidArgument: an expression needs too much memory.
    core::Result<std::vector<std::size_t>> match(
        std::span<const SelectableProcess> processes) const;

  private:
    enum class Kind : std::uint8_t { kAll, kNumber, kUuid, kExpression, kNamespace, kName };
    struct Expression;

    Selector() = default;
    bool selects(const SelectableProcess& process) const;
    core::Error not_found(std::span<const SelectableProcess> processes) const;

    Kind kind_ = Kind::kName;
    std::string text_;
    std::string wanted_;  ///< name, namespace or expression
    std::uint32_t pm_id_ = 0;
    core::Uuid id_;
    std::shared_ptr<const Expression> expression_;  ///< immutable; shared by copies of the selector
};

/// The union of several selectors: indexes ascending, each once. No selector selects everything.
///
/// Errors  as Selector::parse and Selector::match; the first text that fails decides, and nothing
///         is selected.
core::Result<std::vector<std::size_t>> select_processes(
    std::span<const std::string> texts, std::span<const SelectableProcess> processes);

}  // namespace zona::process

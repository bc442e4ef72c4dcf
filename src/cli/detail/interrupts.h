/// @file
/// Ctrl-C and SIGTERM as something to ask, not something that strikes.
#pragma once

#include "core/result.h"
#include "os/fd.h"

namespace zona::cli {

/// How often the user asked to end. One thread.
class Interrupts {
  public:
    Interrupts() = default;
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
    virtual ~Interrupts() = default;

    /// SIGINT and SIGTERM so far. Reads what is pending.
    virtual int count() = 0;
    /// Readable when one is pending; -1 when they are not watched.
    virtual int fd() const = 0;
};

/// For commands that the signals may simply end.
class NoInterrupts final : public Interrupts {
  public:
    int count() override { return 0; }
    int fd() const override { return -1; }
};

/// Catches SIGINT and SIGTERM from its making on, for the rest of the process's life.
class SignalInterrupts final : public Interrupts {
  public:
    /// Errors: from errno of signalfd(2).
    core::Result<void> watch();
    int count() override;
    int fd() const override { return fd_.get(); }

  private:
    os::UniqueFd fd_;
    int count_ = 0;
};

}  // namespace zona::cli

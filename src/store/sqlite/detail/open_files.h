/// @file
/// OpenFiles: which files have connections, and which of them is closed for another.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>

namespace zona::store::detail {

/// A file that can be closed while nobody needs it.
class Closable {
  public:
    /// Whether nothing is under way or waits; then nothing begins until close_now() has returned.
    virtual bool reserve_for_closing() = 0;
    /// Closes its connections. Precondition: reserve_for_closing() said yes.
    virtual void close_now() = 0;

  protected:
    ~Closable() = default;

  private:
    friend class OpenFiles;
    bool listed_ = false;                   // guarded by OpenFiles::mutex_
    std::list<Closable*>::iterator place_;  // guarded by OpenFiles::mutex_; if listed_
};

/// Any thread.
class OpenFiles {
  public:
    explicit OpenFiles(std::size_t most) : most_(most) {}

    /// `file` is about to use a connection. When it has none yet and too many files are open, the
    /// one that was used longest ago of those without work is closed first; all have work: one more
    /// is open.
    void use(Closable& file);
    /// Closes what is too much, if somebody has no work any more.
    void trim();
    /// Its connections are closed, or about to be by its owner.
    void remove(Closable& file);

    std::size_t size() const { return size_; }
    /// How often one was closed for another.
    std::uint64_t closed() const { return closed_; }

  private:
    /// Takes one off the list that may be closed now; nullptr: there is none.
    Closable* take_one();

    const std::size_t most_;
    std::atomic<std::size_t> size_ = 0;  // files_.size()
    std::atomic<std::uint64_t> closed_ = 0;
    std::mutex mutex_;
    std::list<Closable*> files_;  // guarded by mutex_; the last used one in front
};

}  // namespace zona::store::detail

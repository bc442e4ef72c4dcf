/// @file
/// Headers: the fields of an HTTP message, in order, names compared without case.
///
/// A value type for one message at a time: two allocations whatever the number of fields, and none
/// when it is cleared and filled again. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zona::net {

/// Whether two ASCII texts are equal when case is ignored; bytes over 127 must be the same.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Whether `list`, a comma-separated header value ("close, Upgrade"), has the element `token` (no
/// case).
bool list_has(std::string_view list, std::string_view token);

/// An ordered multimap of header fields.
class Headers {
  public:
    /// One field. The views live until the Headers they come from change.
    struct Field {
        std::string_view name;
        std::string_view value;
    };

    /// Appends a field and keeps those of the same name (Set-Cookie, Via).
    ///
    /// Any bytes are stored. What is unfit for the wire is made fit when a message is written: a
    /// control character in a value becomes a space, so that no value can start a line of its own.
    void add(std::string_view name, std::string_view value);

    /// Takes the memory for so many fields, with so many bytes of names and values in all.
    void reserve(std::size_t fields, std::size_t bytes);

    /// Makes this the only field of that name, at the end of the order.
    void set(std::string_view name, std::string_view value);

    /// Takes away every field of that name. Returns how many there were.
    std::size_t remove(std::string_view name);

    /// The first value of that name.
    std::optional<std::string_view> find(std::string_view name) const;

    /// Every value of that name, in order.
    std::vector<std::string_view> find_all(std::string_view name) const;

    /// Whether there is a field of that name, whatever its value.
    bool has(std::string_view name) const { return find(name).has_value(); }

    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }

    /// The field at `index`. Precondition: index < size().
    Field at(std::size_t index) const;

    /// Forgets all fields and keeps the memory.
    void clear();

    /// For range-for: yields Field by value.
    class Iterator {
      public:
        /// At the field `index`; size() is the end.
        Iterator(const Headers* owner, std::size_t index) : owner_(owner), index_(index) {}
        Field operator*() const { return owner_->at(index_); }
        Iterator& operator++() {
            ++index_;
            return *this;
        }
        bool operator==(const Iterator&) const = default;

      private:
        const Headers* owner_;
        std::size_t index_;
    };
    Iterator begin() const { return {this, 0}; }
    Iterator end() const { return {this, size()}; }

  private:
    /// Where a field's bytes stand in text_: the value follows the name.
    struct Entry {
        std::uint32_t begin;
        std::uint32_t name_size;
        std::uint32_t value_size;
    };

    std::string text_;
    std::vector<Entry> entries_;
};

}  // namespace zona::net

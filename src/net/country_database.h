/// @file
/// In which country an address is, by a database in the format of MaxMind.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace zona::net {

/// An open database; any thread. The file is mapped: whoever renews it puts a new file in its
/// place. Source: SEC-16, MaxMind DB File Format Specification v2.0.
class CountryDatabase {
  public:
    /// Errors: kNotFound, kForbidden: the file; kInvalidArgument: it is no such database.
    static core::Result<std::shared_ptr<const CountryDatabase>> open(const std::string& path);
    CountryDatabase(const CountryDatabase&) = delete;
    CountryDatabase& operator=(const CountryDatabase&) = delete;
    ~CountryDatabase();

    /// Two capitals (`country.iso_code`); empty: it is not known, or `address` is none.
    std::string country_of(std::string_view address) const;

  private:
    struct File;
    explicit CountryDatabase(std::unique_ptr<File> file);
    std::unique_ptr<File> file_;
};

}  // namespace zona::net

/// @file
/// Words: what of a text is searched, the same for every backend.
///
/// A word is a run of letters and digits in the sense of Unicode, each in lower case; all else
/// stands between words. Letters are known by the C library's locale C.UTF-8, whatever the process
/// has set. Text is taken as it is written: nothing is composed, and accents count.
/// Pure; any thread. Source: DATA-39, newlocale(3), iswalnum(3).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "core/result.h"
#include "store/value.h"

namespace zona::store::detail {

namespace json = boost::json;

/// Errors: kUnsupported: there is no locale C.UTF-8.
core::Result<void> check_words();

/// The words of a search, different, in their order, the last with a `*` behind it if the text has
/// one there; not many more than kMaxSearchWords, however long the text is.
std::vector<std::string> search_words(std::string_view text);

/// The different words of the texts at and below `paths`, as many as count.
std::vector<std::string> document_words(const json::object& document,
                                        const std::vector<Path>& paths);

/// Whether those of the document hold all of search_words().
bool holds_words(const json::object& document, const std::vector<Path>& paths,
                 const std::vector<json::value>& words);

}  // namespace zona::store::detail

#include "store/detail/words.h"

#include <algorithm>
#include <clocale>
#include <cwctype>
#include <unordered_set>

#include <boost/json/array.hpp>

#include "core/text.h"
#include "core/utf8.h"
#include "store/detail/compare.h"
#include "store/query.h"

namespace zona::store::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;

::locale_t letters() {
    static const ::locale_t kLocale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return kLocale;
}

/// The letter that stands for this one whatever its case; 0: it is none. By way of the upper case,
/// which a letter with two lower ones, as the Greek sigma, has in common.
wint_t folded(wint_t point) {
    if (point < 0x80) {
        if (point >= 'A' && point <= 'Z') return point - 'A' + 'a';
        return (point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') ? point : 0;
    }
    const ::locale_t locale = letters();
    if (locale == nullptr || ::iswalnum_l(point, locale) == 0) return 0;
    return ::towlower_l(::towupper_l(point, locale), locale);
}

/// Gives each word to `visit(std::string&&, std::string_view behind)` until that says no.
template <class Visit>
void for_each_word(std::string_view text, Visit visit) {
    while (!text.empty()) {
        std::string word;
        std::size_t count = 0;
        while (!text.empty()) {
            std::string_view behind = text;
            const wint_t letter = folded(core::take_code_point(behind));
            if (letter == 0) {
                if (count == 0) text = behind;
                break;
            }
            if (++count <= kMaxWordLetters) core::append_utf8(word, letter);
            text = behind;
        }
        if (count > 0 && !visit(std::move(word), text)) return;
    }
}

/// The words of values, with what is in them.
class Collector {
  public:
    void add(const json::value& value) {
        if (full()) return;
        if (const auto* text = value.if_string()) {
            for_each_word(*text, [this](std::string&& word, std::string_view) {
                if (seen_.insert(word).second) words_.push_back(std::move(word));
                return !full();
            });
        } else if (const auto* array = value.if_array()) {
            for (const json::value& element : *array)
                add(element);
        } else if (const auto* object = value.if_object()) {
            for (const json::key_value_pair& field : *object)
                add(field.value());
        }
    }
    std::vector<std::string> take() { return std::move(words_); }

  private:
    bool full() const { return words_.size() == kMaxDocumentWords; }

    std::unordered_set<std::string> seen_;
    std::vector<std::string> words_;
};

}  // namespace

Result<void> check_words() {
    if (letters() != nullptr) return {};
    return Error(Code::kUnsupported,
                 "the locale C.UTF-8, by which words are told apart, is not installed: it comes "
                 "with the C library (libc-bin in Debian)");
}

std::vector<std::string> search_words(std::string_view text) {
    const std::string valid = core::to_valid_utf8(text);
    std::vector<std::string> out;
    for_each_word(valid, [&out](std::string&& word, std::string_view behind) {
        if (behind.starts_with('*') && behind.find_first_not_of(" \t\r\n", 1) == behind.npos)
            word += '*';
        if (std::ranges::find(out, word) == out.end()) out.push_back(std::move(word));
        return out.size() <= kMaxSearchWords;
    });
    return out;
}

std::vector<std::string> document_words(const json::object& document,
                                        const std::vector<Path>& paths) {
    Collector collector;
    for (const Path& path : paths) {
        if (const json::value* value = find(document, path)) collector.add(*value);
    }
    return collector.take();
}

bool holds_words(const json::object& document, const std::vector<Path>& paths,
                 const std::vector<json::value>& words) {
    const std::vector<std::string> there = document_words(document, paths);
    return std::ranges::all_of(words, [&there](const json::value& value) {
        std::string_view word = value.get_string();
        if (!word.ends_with('*')) return std::ranges::find(there, word) != there.end();
        word.remove_suffix(1);
        return std::ranges::any_of(
            there, [word](const std::string& one) { return one.starts_with(word); });
    });
}

}  // namespace zona::store::detail

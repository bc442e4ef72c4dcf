#include "core/secret.h"

#include <algorithm>
#include <cstring>

#include "core/locked_memory.h"

namespace zona::core {

Secret::Secret(std::string text) : Secret(std::string_view(text), Copied()) {
    ::explicit_bzero(text.data(), text.size());
}

Secret::Secret(std::string_view text, Copied) {
    const std::span<std::byte> bytes = take_locked(text.size());
    std::ranges::copy(std::as_bytes(std::span(text)), bytes.begin());
    text_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Secret::Secret(const Secret& other) : Secret(other.text_, Copied()) {}

Secret::Secret(Secret&& other) noexcept : text_(std::exchange(other.text_, {})) {}

Secret& Secret::operator=(Secret other) noexcept {
    std::swap(text_, other.text_);
    return *this;
}

Secret::~Secret() {
    // The memory is this object's own: only what is told of it is constant.
    auto* const bytes = reinterpret_cast<std::byte*>(const_cast<char*>(text_.data()));
    give_back_locked({bytes, text_.size()});
}

bool Secret::same_as(const Secret& other) const {
    if (text_.size() != other.text_.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < text_.size(); ++i) {
        difference |= static_cast<unsigned>(text_[i] ^ other.text_[i]);
    }
    return difference == 0;
}

}  // namespace zona::core

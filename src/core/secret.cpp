#include "core/secret.h"

#include <cstring>

namespace zona::core {

void Secret::wipe() noexcept {
    ::explicit_bzero(text_.data(), text_.size());
    text_.clear();
}

Secret::Secret(Secret&& other) noexcept : text_(std::move(other.text_)) {
    // A short text was copied out of the source's own bytes, which still hold it behind size 0.
    other.text_.resize(other.text_.capacity());
    other.wipe();
}

Secret& Secret::operator=(Secret other) noexcept {
    text_.swap(other.text_);
    return *this;
}

Secret::~Secret() {
    wipe();
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

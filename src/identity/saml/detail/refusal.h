// Why a provider's answer is not taken.
#pragma once

#include <string>

#include "core/result.h"

namespace zona::identity::saml {

/// kInvalidToken; repeats nothing of the answer.
inline core::Error refused(const char* why) {
    return {core::Code::kInvalidToken, std::string("the identity provider's answer ") + why};
}

}  // namespace zona::identity::saml

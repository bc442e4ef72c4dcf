/// @file
/// One-time codes by time: the second factor that authenticator apps show. Pure functions; any
/// thread. Source: RFC 6238, RFC 4226; AUTH-31.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::identity {

/// For which time one code holds.
inline constexpr std::chrono::seconds kTotpStep{30};
/// Digits of a code.
inline constexpr int kTotpDigits = 6;
/// Bytes of a secret, as many as those of SHA-1 (RFC 4226 section 4).
inline constexpr std::size_t kTotpSecretBytes = 20;
/// Recovery codes of one enrolment.
inline constexpr std::size_t kRecoveryCodes = 10;

/// The code of one step under a secret's bytes. `digits` is 6 to 8.
std::string totp_code(std::span<const std::byte> secret, std::int64_t step,
                      int digits = kTotpDigits);

/// The step of a moment.
std::int64_t totp_step(core::SystemTime now);

/// The step whose code was shown: that of now, the one before or the one behind, if it is after
/// `last`, the step of the last code that was taken: a code is good once. Takes the same time
/// whichever it is. `secret` is base32.
std::optional<std::int64_t> match_totp(const core::Secret& secret, std::string_view code,
                                       core::SystemTime now, std::int64_t last);

/// A new secret, in base32 (RFC 4648 section 6) without padding.
core::Secret new_totp_secret(core::Random& random);

/// What authenticators read as a QR code. `issuer` and `account` are shown to people.
/// Source: the Key URI format of Google Authenticator.
core::Secret totp_uri(const core::Secret& secret, std::string_view issuer,
                      std::string_view account);

/// A code for whoever has lost the authenticator: "k3f7-9mzq-2xht-p4vd", 80 random bits.
core::Secret new_recovery_code(core::Random& random);
/// What is stored of it: the SHA-256 of its letters and digits, whatever their case and what stands
/// between them. Nullopt for a text that cannot be one.
std::optional<std::string> recovery_hash(std::string_view code);

}  // namespace zona::identity

#include "net/detail/tls_certificate.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "net/detail/tls_error.h"
#include "os/fd.h"

namespace zona::net::detail {
core::SystemTime time_of(const ASN1_TIME* when) {
    std::tm parts{};
    if (when == nullptr || ASN1_TIME_to_tm(when, &parts) != 1) return {};
    // A span of 292 years is what a SystemTime can tell; 9999-12-31 is "never".
    constexpr std::time_t kLatest = 9'223'372'036;
    const std::time_t seconds = std::min(::timegm(&parts), kLatest);
    return core::SystemTime(std::chrono::seconds(seconds));
}

std::string to_text(const X509_NAME* name) {
    const Bio out(BIO_new(BIO_s_mem()));
    if (!out) return {};
    X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

core::Result<std::string> read_pem(const std::string& path, std::string_view what) {
    constexpr std::size_t kLargestFile = 1U << 20U;
    core::Result<std::string> text = os::read_file(path, kLargestFile);
    if (!text) return text.take_error().context(what);
    return text;
}

std::string last_tls_error() {
    const unsigned long number = ERR_get_error();
    ERR_clear_error();
    const char* reason = number == 0 ? nullptr : ERR_reason_error_string(number);
    return reason == nullptr ? "unknown error" : reason;
}

Bio bio_over(const std::string& text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

core::Result<std::vector<Certificate>> parse_certificates(const std::string& text) {
    const Bio bio = bio_over(text);
    std::vector<Certificate> out;
    while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
        out.emplace_back(one);
    const unsigned long number = ERR_peek_last_error();
    if (ERR_GET_REASON(number) == PEM_R_NO_START_LINE) {  // the end
        ERR_clear_error();
        return out;
    }
    return core::Error(
        core::Code::kInvalidArgument,
        fmt::format("certificate {} of the file is damaged: {}", out.size() + 1, last_tls_error()));
}

std::string fingerprint_of(const X509* certificate) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    unsigned size = 0;
    X509_digest(certificate, EVP_sha256(), digest.data(), &size);
    std::string out;
    for (const unsigned char byte : digest)
        fmt::format_to(std::back_inserter(out), "{:02x}", byte);
    return out;
}

TlsCertificate describe(const X509* certificate) {
    return {to_text(X509_get_subject_name(certificate)), fingerprint_of(certificate),
            time_of(X509_get0_notBefore(certificate)), time_of(X509_get0_notAfter(certificate))};
}

}  // namespace zona::net::detail

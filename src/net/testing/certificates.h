/// @file
/// A certificate authority for tests, and what it issues, as PEM files in a directory of the test.
#pragma once

#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "core/testing/temporary_directory.h"
#include "net/tls.h"

namespace zona::net {

/// What a test wants of a certificate.
struct Wanted {
    /// As openssl's subjectAltName has it.
    std::string names = "IP:127.0.0.1,DNS:zona.test";
    std::time_t begins_in = -3600;  ///< seconds from now
    std::time_t ends_in = 3600;
    std::string usage{};  ///< as openssl's extendedKeyUsage has it; empty: any
    /// As openssl's basicConstraints has it.
    std::string constraints = "CA:FALSE";
};

class TestAuthority {
  public:
    explicit TestAuthority(const std::string& name = "test authority") : key_(EVP_EC_gen("P-256")) {
        certificate_ = make(name, key_, {"", -3600, 360000}, nullptr);
        write_certificate(ca_file(), certificate_);
    }
    TestAuthority(const TestAuthority&) = delete;
    TestAuthority& operator=(const TestAuthority&) = delete;
    ~TestAuthority() {
        X509_free(certificate_);
        EVP_PKEY_free(key_);
    }

    std::string ca_file() const { return directory_.path() + "/ca.pem"; }
    std::string path(const std::string& name) const { return directory_.path() + "/" + name; }

    /// NAME.pem and NAME.key; those that are there are replaced.
    TlsFiles issue(const std::string& name = "server", const Wanted& wanted = {}) {
        EVP_PKEY* key = EVP_EC_gen("P-256");
        X509* certificate = make(name, key, wanted, certificate_);
        TlsFiles out{path(name + ".pem"), path(name + ".key")};
        write_certificate(out.certificates, certificate);
        write_key(out.key, key, nullptr);
        X509_free(certificate);
        EVP_PKEY_free(key);
        return out;
    }

    /// As issue(), for a client.
    TlsFiles issue_client(const std::string& name, Wanted wanted = {}) {
        wanted.names = "DNS:" + name;
        if (wanted.usage.empty()) wanted.usage = "clientAuth";
        return issue(name, wanted);
    }

    /// Makes revocations_file(): a list that names the serial numbers, and is to be replaced then.
    void revoke(const std::vector<long>& serials, std::time_t next_in = 3600) {
        X509_CRL* list = X509_CRL_new();
        X509_CRL_set_version(list, 1);
        X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate_));
        ASN1_TIME* when = X509_gmtime_adj(nullptr, -7200);
        X509_CRL_set1_lastUpdate(list, when);
        X509_gmtime_adj(when, next_in);
        X509_CRL_set1_nextUpdate(list, when);
        for (const long serial : serials) {
            X509_REVOKED* one = X509_REVOKED_new();
            ASN1_INTEGER* number = ASN1_INTEGER_new();
            ASN1_INTEGER_set(number, serial);
            X509_REVOKED_set_serialNumber(one, number);
            X509_gmtime_adj(when, -60);
            X509_REVOKED_set_revocationDate(one, when);
            X509_CRL_add0_revoked(list, one);
            ASN1_INTEGER_free(number);
        }
        X509_CRL_sort(list);
        X509_CRL_sign(list, key_, EVP_sha256());
        std::FILE* file = std::fopen(revocations_file().c_str(), "w");
        ASSERT_NE(file, nullptr);
        PEM_write_X509_CRL(file, list);
        std::fclose(file);
        ASN1_TIME_free(when);
        X509_CRL_free(list);
    }
    std::string revocations_file() const { return path("revoked.pem"); }
    /// Of the certificate that was issued last.
    long last_serial() const { return serial_; }

    /// A key of nobody, encrypted with `password` if there is one.
    std::string lone_key(const std::string& name, const char* password = nullptr) {
        EVP_PKEY* key = EVP_EC_gen("P-256");
        write_key(path(name), key, password);
        EVP_PKEY_free(key);
        return path(name);
    }

  private:
    static void extend(X509* certificate, int what, const std::string& value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
        ASSERT_NE(extension, nullptr) << value;
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }

    X509* make(const std::string& name, EVP_PKEY* key, const Wanted& wanted, X509* issuer) {
        X509* out = X509_new();
        X509_set_version(out, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(out), ++serial_);
        X509_gmtime_adj(X509_getm_notBefore(out), wanted.begins_in);
        X509_gmtime_adj(X509_getm_notAfter(out), wanted.ends_in);
        X509_set_pubkey(out, key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(out), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        X509_set_issuer_name(out, X509_get_subject_name(issuer == nullptr ? out : issuer));
        extend(out, NID_basic_constraints,
               issuer == nullptr ? "critical,CA:TRUE" : wanted.constraints);
        if (!wanted.usage.empty()) extend(out, NID_ext_key_usage, wanted.usage);
        if (!wanted.names.empty()) extend(out, NID_subject_alt_name, wanted.names);
        X509_sign(out, key_, EVP_sha256());
        return out;
    }

    static void write_certificate(const std::string& path, X509* certificate) {
        std::FILE* file = std::fopen(path.c_str(), "w");
        ASSERT_NE(file, nullptr);
        PEM_write_X509(file, certificate);
        std::fclose(file);
    }

    static void write_key(const std::string& path, EVP_PKEY* key, const char* password) {
        std::FILE* file = std::fopen(path.c_str(), "w");
        ASSERT_NE(file, nullptr);
        const EVP_CIPHER* cipher = password == nullptr ? nullptr : EVP_aes_128_cbc();
        PEM_write_PKCS8PrivateKey(file, key, cipher, password,
                                  password == nullptr ? 0 : static_cast<int>(std::strlen(password)),
                                  nullptr, nullptr);
        std::fclose(file);
        ::chmod(path.c_str(), 0600);
    }

    core::TemporaryDirectory directory_;
    EVP_PKEY* key_;
    X509* certificate_ = nullptr;
    long serial_ = 0;
};

}  // namespace zona::net

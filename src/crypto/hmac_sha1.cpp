#include "crypto/hmac_sha1.h"

#include <cstdlib>

#include <openssl/evp.h>

namespace zona::crypto {

std::array<std::byte, 20> hmac_sha1(std::span<const std::byte> key,
                                    std::span<const std::byte> data) {
    std::array<std::byte, 20> out{};
    std::size_t size = 0;
    const void* const done =
        ::EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA1", nullptr, key.data(), key.size(),
                    reinterpret_cast<const unsigned char*>(data.data()), data.size(),
                    reinterpret_cast<unsigned char*>(out.data()), out.size(), &size);
    if (done == nullptr || size != out.size()) std::abort();
    return out;
}

}  // namespace zona::crypto

#include "identity/federation/saml_client.h"

#include <fmt/format.h>

#include "identity/federation/openid_client.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::size_t kMostUrls = 256;
constexpr int kOk = 200;

}  // namespace

Result<SamlMetadata> SamlClient::at_url(const std::string& url, core::Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = known_.find(url);
        if (found != known_.end() && clock_.steady() - found->second.at < kProviderKept)
            return found->second.metadata;
    }
    ZONA_TRY(const net::OutgoingResponse answer, caller_.call({.url = url}, deadline));
    if (answer.status != kOk) {
        return Error(Code::kUnavailable,
                     fmt::format("the identity provider's metadata cannot be had: status {}",
                                 answer.status));
    }
    ZONA_TRY(const SamlReader* const reader, saml_reader());
    ZONA_TRY(SamlMetadata metadata, reader->read_metadata(answer.body, clock_.system()));
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kMostUrls) known_.clear();
    known_[url] = {.metadata = metadata, .at = clock_.steady()};
    return metadata;
}

Result<SamlMetadata> SamlClient::describe(const IdentityProvider& provider,
                                          core::Deadline deadline) {
    SamlMetadata out;
    if (provider.metadata.empty()) {
        ZONA_TRY(out, at_url(provider.metadata_url, deadline));
    } else {
        ZONA_TRY(const SamlReader* const reader, saml_reader());
        ZONA_TRY(out, reader->read_metadata(provider.metadata, clock_.system()));
    }
    if (!provider.issuer.empty() && out.entity_id != provider.issuer) {
        return Error(Code::kInvalidArgument,
                     "the identity provider's metadata are of another entity than the issuer that "
                     "is set here");
    }
    return out;
}

}  // namespace zona::identity

// What a provider says of itself: SamlReader::read_metadata.
#pragma once

#include "identity/federation/saml_reader.h"

namespace zona::identity::saml {

core::Result<SamlMetadata> read_metadata(std::string_view text, core::SystemTime now);

}  // namespace zona::identity::saml

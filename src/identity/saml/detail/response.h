// What a provider says of somebody: SamlReader::read_response.
#pragma once

#include "identity/federation/saml_reader.h"

namespace zona::identity::saml {

core::Result<SamlStatement> read_response(std::string_view text, const SamlWanted& wanted);

}  // namespace zona::identity::saml

// The shared object: all that links xmlsec, behind one symbol.
#include "identity/federation/saml_reader.h"
#include "identity/saml/detail/metadata.h"
#include "identity/saml/detail/response.h"

extern "C" [[gnu::visibility("default")]] const zona::identity::SamlReader zona_saml_reader;

const zona::identity::SamlReader zona_saml_reader = {
    .version = ZONA_VERSION,
    .read_metadata = &zona::identity::saml::read_metadata,
    .read_response = &zona::identity::saml::read_response};

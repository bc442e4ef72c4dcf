// Sealed fields of one document, in the form that whoever rotates keys knows
// (tenancy/keys/sealed_fields.h): the JSON of a text, bound to collection, id and field.
#pragma once

#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "store/database.h"
#include "vault/field_sealer.h"

namespace zona::identity::detail {

class Sealed {
  public:
    /// All outlive it.
    Sealed(const vault::FieldSealer& sealer, const store::CollectionSpec& spec, const store::Id& id)
        : sealer_(sealer), collection_(spec.name), id_(bound(id)) {}

    /// The text as it is to be stored in a field at the document's top.
    core::Result<boost::json::value> seal(std::string_view field, std::string_view text) const;
    /// What the field holds; empty if it is not there. Errors: those of FieldSealer::open().
    core::Result<core::Secret> open(const boost::json::object& document,
                                    std::string_view field) const;

  private:
    static std::string bound(const store::Id& id);
    const vault::FieldSealer& sealer_;
    std::string_view collection_;
    std::string id_;
};

/// The key of hashes by which sealed e-mail addresses are found, in this scope; a Writer makes it
/// if it is not there, for a Reader it is empty then.
core::Result<core::Secret> lookup_key(store::Reader& core, const store::Scope& scope,
                                      const vault::FieldSealer& sealer);
core::Result<core::Secret> lookup_key(store::Writer& core, const store::Scope& scope,
                                      const vault::FieldSealer& sealer, core::Random& random);

}  // namespace zona::identity::detail

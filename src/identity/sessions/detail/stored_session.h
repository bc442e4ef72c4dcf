/// @file
/// A session as a document.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "identity/sessions/session.h"

namespace zona::identity::detail {

/// All that a document says.
struct StoredSession {
    Session session;
    std::vector<std::pair<core::Uuid, core::SystemTime>> tokens;  ///< good ones, and their ends
    std::string family;                                           ///< hash of the session's secret
    std::string refresh;   ///< hash of the good refresh token
    std::string previous;  ///< of the one before it; empty: there was none
    core::SystemTime refreshed{};
    core::SystemTime refresh_end{};
    std::int64_t version = 0;
};

/// The sessions of a tenant's users, of Super Admins if it is empty. Errors: kInvalidArgument: no
/// code of a tenant.
core::Result<store::Collection> sessions_of(const std::string& tenant);

/// What the store keeps.
store::Document document_of(const StoredSession& stored);
/// What document_of() gave. Errors: kInternal: the document is damaged.
core::Result<StoredSession> stored_from(const store::Record& record);

}  // namespace zona::identity::detail

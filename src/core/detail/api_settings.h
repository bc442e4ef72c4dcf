/// @file
/// The settings `api.*`: rows of the table of settings, and their values.
#pragma once

#include <vector>

#include "core/settings.h"

namespace zona::core::detail {

std::vector<Setting> api_settings();
Settings::Api api_from(const ConfigSnapshot& snapshot);

}  // namespace zona::core::detail

/// @file
/// The settings `cache.*`: rows of the table of settings, and their values.
#pragma once

#include <vector>

#include "core/settings.h"

namespace zona::core::detail {

std::vector<Setting> cache_settings();
Settings::Cache cache_from(const ConfigSnapshot& snapshot);

}  // namespace zona::core::detail

// The examples of the documents: JSON texts. A test checks each against its shape, another sends
// those of requests to a daemon.
#pragma once

#include <string>
#include <vector>

#include "api/operation.h"

namespace zona::api::examples {

std::string process();
std::string processes();
std::string exits();
std::string started();
std::string restored();
std::string results();
std::string log_line();
std::vector<Example> starts();
std::vector<Example> operations();

}  // namespace zona::api::examples

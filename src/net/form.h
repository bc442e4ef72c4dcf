/// @file
/// Bodies of HTML forms: application/x-www-form-urlencoded. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "net/http.h"

namespace zona::net {

/// The media type of such a body.
inline constexpr std::string_view kFormType = "application/x-www-form-urlencoded";
/// More than any page of ours has.
inline constexpr std::size_t kMostFormFields = 100;

/// Whether the request says that its body is a form's: one Content-Type, of that media type.
bool is_form(const Headers& headers);

/// The fields in their order; a name may repeat. Errors: kInvalidArgument: a broken escape, a
/// control character but for line ends and tabs, what is not UTF-8, more than kMostFormFields; no
/// message repeats what was sent. Source: URL standard, section 5.1.
core::Result<std::vector<Parameter>> parse_form(std::string_view body);

/// The first value of the field; nullopt where there is none, or the body is no form.
std::optional<std::string> form_value(const Request& request, std::string_view name);

}  // namespace zona::net

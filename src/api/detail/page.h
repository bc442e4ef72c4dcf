// Pages for people, which work without script; every text in them is data.
#pragma once

#include <string>
#include <string_view>

#include "api/operation.h"
#include "net/http.h"

namespace zona::api {

/// A page. `content` is HTML, the title a text.
net::Response page(std::string_view title, std::string_view content, int status = 200);

/// @{
/// HTML of texts.
std::string hidden_field(std::string_view name, std::string_view value);
/// `more` are attributes, in HTML.
std::string text_field(std::string_view label, std::string_view name, std::string_view value,
                       std::string_view more);
std::string paragraph(std::string_view text, std::string_view kind = "");
std::string link_to(std::string_view path, std::string_view text);
/// @}

/// What the sign-in asks for, and what is known of it.
struct SignInForm {
    std::string tenant = "default";
    std::string name{};
    std::string next{};     ///< of local_path()
    std::string token{};    ///< of the visitor
    std::string problem{};  ///< with what was sent before
};
/// The form, as HTML: for signing in, and for another password of one's own.
std::string sign_in_form(const SignInForm& form);
std::string password_form(const SignInForm& form);  ///< as sign_in_form()

/// What all operations of pages have in common.
Operation page_operation(net::Method method, std::string path, std::string id, Access access);
/// The answer that is a page.
AnswerSpec page_answer(std::string description);
/// The answer that leads to another page.
AnswerSpec redirect_answer(std::string description);
/// The field of every form that shows whose it is.
Field csrf_field();

}  // namespace zona::api

#include "api/detail/answer_check.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"

namespace zona::api {

namespace json = boost::json;
namespace asio = boost::asio;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr core::ByteCount kMostAnswer = core::ByteCount::mib(256);

Error undeclared(const Operation& operation, std::string_view what) {
    return Error(Code::kInternal,
                 fmt::format("{}: the answer is not as declared: {}", operation.id, what));
}

Result<void> check_value(std::string_view text, const Shape& shape, const Operation& operation,
                         const Components& components) {
    auto value = core::parse_json(text, {.max_bytes = kMostAnswer});
    if (!value) return undeclared(operation, value.error().message());
    auto mistakes = mistakes_of(*value, shape, components);
    if (mistakes.empty()) return {};
    return undeclared(operation, error_of("", std::move(mistakes)).message());
}

/// Passes on what it is given, line by line checked.
class CheckingWriter final : public net::BodyWriter {
  public:
    CheckingWriter(net::BodyWriter& inner, const Shape& line, const Operation& operation,
                   const Components& components)
        : inner_(inner), line_(line), operation_(operation), components_(components) {}

    asio::awaitable<Result<void>> write(std::string_view data) override {
        rest_ += data;
        std::size_t begin = 0;
        for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
            const auto line = std::string_view(rest_).substr(begin, end - begin);
            ZONA_CO_TRY_VOID(check_value(line, line_, operation_, components_));
            begin = end + 1;
        }
        rest_.erase(0, begin);
        co_return co_await inner_.write(data);
    }

  private:
    net::BodyWriter& inner_;
    const Shape& line_;
    const Operation& operation_;
    const Components& components_;
    std::string rest_;  ///< a line that has not ended
};

struct CheckedStream {
    net::StreamBody body;
    const AnswerSpec& answer;
    const Operation& operation;
    const Components& components;
};

asio::awaitable<Result<void>> run_checked(std::shared_ptr<CheckedStream> stream,
                                          net::BodyWriter& writer) {
    CheckingWriter checking(writer, stream->answer.shape, stream->operation, stream->components);
    co_return co_await stream->body(checking);
}

Shape envelope_of(const AnswerSpec& answer) {
    std::vector<Field> fields = {required("success", Shape::boolean("")),
                                 required("data", answer.shape)};
    if (answer.meta) fields.push_back(required("meta", *answer.meta));
    return Shape::object(std::move(fields));
}

}  // namespace

Result<net::Response> checked(Result<net::Response> answer, const Operation& operation,
                              const Components& components) {
    const auto may_fail_with = [&](Code code) {
        const int status = core::info(code).http_status;
        return std::ranges::any_of(all_errors(operation),
                                   [code](const ErrorSpec& e) { return e.code == code; }) ||
               // An error in the operation's own form stands among its answers.
               std::ranges::any_of(operation.answers, [status](const AnswerSpec& answer) {
                   return answer.status == status;
               });
    };
    if (!answer.has_value()) {
        if (may_fail_with(answer.error().code())) return answer;
        return undeclared(operation, fmt::format("{}: {}", core::info(answer.error().code()).name,
                                                 answer.error().message()));
    }
    if (answer->failure) {
        if (may_fail_with(answer->failure->error.code())) return answer;
        return undeclared(operation, answer->failure->error.message());
    }
    const std::string_view type = answer->headers.find("Content-Type").value_or("");
    const auto found = std::ranges::find_if(operation.answers, [&](const AnswerSpec& one) {
        return one.status == answer->status && type.starts_with(one.media_type);
    });
    if (found == operation.answers.end()) {
        return undeclared(operation,
                          fmt::format("status {}, Content-Type {}", answer->status, type));
    }
    if (found->media_type == "application/json") {
        const Shape whole = found->envelope == Envelope::kYes ? envelope_of(*found) : found->shape;
        ZONA_TRY_VOID(check_value(answer->body, whole, operation, components));
    } else if (found->media_type == "application/x-ndjson" && answer->stream) {
        auto stream = std::make_shared<CheckedStream>(
            CheckedStream{std::move(answer->stream), *found, operation, components});
        answer->stream = [stream](net::BodyWriter& writer) { return run_checked(stream, writer); };
    }
    return answer;
}

}  // namespace zona::api

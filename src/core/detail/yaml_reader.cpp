#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "core/detail/document_readers.h"
#include "core/text.h"

namespace zona::core::detail {
namespace {

namespace json = boost::json;

constexpr std::string_view kMerge = "<<";

/// Leaves the parser from within an event.
struct Refusal {
    Position at;
    std::string problem;
};

Position position_of(const YAML::Mark& mark) {
    return {mark.line + 1, mark.column + 1};
}

/// What an alias to a value costs.
struct Extent {
    std::size_t values = 1;
    std::size_t depth = 0;

    void include(const Extent& child) {
        values += child.values;
        depth = std::max(depth, child.depth + 1);
    }
};

Extent measure(const json::value& value) {
    Extent extent;
    if (const json::array* array = value.if_array()) {
        extent.depth = 1;
        for (const json::value& element : *array)
            extent.include(measure(element));
    } else if (const json::object* object = value.if_object()) {
        extent.depth = 1;
        for (const auto& [key, element] : *object)
            extent.include(measure(element));
    }
    return extent;
}

bool is_number_shaped(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const bool leading_zero = text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
    const bool starts_well =
        !text.empty() && ((text[0] >= '0' && text[0] <= '9') || text[0] == '.');
    return starts_well && !leading_zero &&
           text.find_first_of("0123456789") != std::string_view::npos;
}

/// A plain scalar by the core schema of YAML 1.2, section 10.3.2.
json::value resolve(std::string_view text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
        return nullptr;
    if (text == "true" || text == "True" || text == "TRUE") return true;
    if (text == "false" || text == "False" || text == "FALSE") return false;
    if (text.starts_with("0x") || text.starts_with("0o")) {
        std::uint64_t number = 0;
        const int base = text[1] == 'x' ? 16 : 8;
        const auto [end, failure] = std::from_chars(text.begin() + 2, text.end(), number, base);
        if (failure == std::errc() && end == text.end() && std::in_range<std::int64_t>(number)) {
            return static_cast<std::int64_t>(number);
        }
        return json::string(text);
    }
    if (!is_number_shaped(text)) return json::string(text);
    if (const Result<std::int64_t> whole = parse_integer(text)) return *whole;
    const std::string_view unsigned_text = text.starts_with('+') ? text.substr(1) : text;
    double real = 0;
    const auto [end, failure] = std::from_chars(unsigned_text.begin(), unsigned_text.end(), real);
    if (failure == std::errc() && end == unsigned_text.end() && std::isfinite(real)) return real;
    return json::string(text);
}

class Handler final : public YAML::EventHandler {
  public:
    Handler(const DocumentLimits& limits, PositionTree& positions)
        : limits_(limits), builder_(&positions) {}

    json::value take() { return builder_.take(); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1) throw Refusal{position_of(mark), "a second document in one file"};
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        scalar(mark, anchor, "", nullptr);
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override {
        if (tag == "?" || tag.empty()) {
            scalar(mark, anchor, text, resolve(text));
        } else if (tag == "!" || tag == "tag:yaml.org,2002:str") {
            scalar(mark, anchor, text, json::string(text), Style::kQuoted);
        } else {
            throw Refusal{position_of(mark), "tags are not supported"};
        }
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) {
            throw Refusal{position_of(mark), "an alias inside of what it stands for"};
        }
        if (expects_key()) throw Refusal{position_of(mark), "an alias may not be a key"};
        const Extent& extent = found->second.extent;
        count(mark, extent.values);
        check_depth(mark, extent.depth);
        builder_.add(json::value(found->second.value), position_of(mark));
        after_value();
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, anchor);
        builder_.begin_array(position_of(mark));
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, anchor);
        builder_.begin_object(position_of(mark));
        frames_.back().is_map = true;
    }
    void OnMapEnd() override {
        if (frames_.back().merges) merge();
        close();
    }

  private:
    enum class Style : std::uint8_t { kPlain, kQuoted };
    struct Frame {
        YAML::anchor_t anchor;
        Position at;
        bool is_map = false;
        bool has_key = false;
        bool merges = false;
    };
    struct Anchored {
        json::value value;
        Extent extent;
    };

    bool expects_key() const {
        return !frames_.empty() && frames_.back().is_map && !frames_.back().has_key;
    }

    void after_value() {
        if (!frames_.empty()) frames_.back().has_key = false;
    }

    void count(const YAML::Mark& mark, std::size_t more) {
        values_ += more;
        if (values_ > limits_.max_values) {
            throw Refusal{position_of(mark),
                          fmt::format("more than {} values", limits_.max_values)};
        }
    }

    void check_depth(const YAML::Mark& mark, std::size_t more) const {
        if (builder_.depth() + more > limits_.max_depth) {
            throw Refusal{position_of(mark),
                          fmt::format("more than {} nested levels", limits_.max_depth)};
        }
    }

    void scalar(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& text,
                json::value value, Style style = Style::kPlain) {
        if (expects_key()) {
            frames_.back().has_key = true;
            if (style == Style::kPlain && text == kMerge) frames_.back().merges = true;
            if (!builder_.key(text, position_of(mark))) {
                throw Refusal{position_of(mark), fmt::format("the key '{}' stands twice in one map",
                                                             text.substr(0, 64))};
            }
            return;
        }
        count(mark, 1);
        if (anchor != 0) anchors_.insert_or_assign(anchor, Anchored{value, {}});
        builder_.add(std::move(value), position_of(mark));
        after_value();
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (expects_key()) throw Refusal{position_of(mark), "a key must be a scalar"};
        if (!tag.empty() && tag != "?" && tag != "!") {
            throw Refusal{position_of(mark), "tags are not supported"};
        }
        check_depth(mark, 1);
        count(mark, 1);
        frames_.push_back({anchor, position_of(mark)});
    }

    void close() {
        const YAML::anchor_t anchor = frames_.back().anchor;
        if (anchor != 0) {
            const json::value& value = builder_.open();
            anchors_.insert_or_assign(anchor, Anchored{value, measure(value)});
        }
        frames_.pop_back();
        builder_.end();
        after_value();
    }

    void merge() {
        json::object& map = builder_.open().get_object();
        const json::value sources = map[kMerge];
        map.stable_erase(map.find(kMerge));
        const auto take_from = [&](const json::value& source) {
            const json::object* object = source.if_object();
            if (object == nullptr) {
                throw Refusal{frames_.back().at, "<< takes a map or a list of maps"};
            }
            for (const auto& [key, value] : *object)
                map.emplace(key, value);
        };
        if (const json::array* list = sources.if_array()) {
            for (const json::value& source : *list)
                take_from(source);
        } else {
            take_from(sources);
        }
    }

    const DocumentLimits& limits_;
    JsonBuilder builder_;
    std::vector<Frame> frames_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    std::size_t values_ = 0;
    int documents_ = 0;
};

}  // namespace

Result<json::value> read_yaml(std::string_view text, const DocumentLimits& limits,
                              PositionTree& positions) {
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        Handler handler(limits, positions);
        if (!parser.HandleNextDocument(handler)) return json::value(json::object());
        parser.HandleNextDocument(handler);
        return handler.take();
    } catch (const Refusal& refusal) {
        return problem_at(refusal.at, refusal.problem);
    } catch (const YAML::Exception& failure) {
        // It quotes single bytes, also the first of a longer character.
        return problem_at(position_of(failure.mark), to_valid_utf8(failure.msg));
    } catch (const std::exception& failure) {
        return problem_at({1, 0}, failure.what());
    }
}

}  // namespace zona::core::detail

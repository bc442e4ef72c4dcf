#include <map>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "core/text.h"
#include "process/detail/ecosystem_tree.h"
#include "process/detail/printable.h"

namespace zona::process::detail {
namespace {

/// Leaves yaml-cpp's parser; never leaves this file.
struct Stop {
    Position at;
    std::string problem;
    std::string hint;
};

Position position(const YAML::Mark& mark) {
    return {mark.line + 1, mark.column + 1};
}

std::size_t count_nodes(const Node& node) {
    std::size_t count = 1;
    for (const Node& item : node.list)
        count += count_nodes(item);
    for (const Entry& entry : node.map)
        count += count_nodes(entry.value);
    return count;
}

bool digits_only(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_decimal(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const std::size_t exponent = text.find_first_of("eE");
    std::string_view power = exponent == std::string_view::npos ? "" : text.substr(exponent + 1);
    if (exponent != std::string_view::npos) {
        if (power.starts_with('-') || power.starts_with('+')) power.remove_prefix(1);
        if (!digits_only(power)) return false;
        text = text.substr(0, exponent);
    }
    const std::size_t dot = text.find('.');
    if (dot == std::string_view::npos) return digits_only(text) && !power.empty();
    const std::string_view before = text.substr(0, dot);
    const std::string_view after = text.substr(dot + 1);
    return (before.empty() || digits_only(before)) && (after.empty() || digits_only(after)) &&
           before.size() + after.size() > 0;
}

/// A plain scalar by YAML's core schema, but digits with a leading zero stay text: "022" is a
/// umask, "0123" a phone number, and neither is what 18 or 83 would make of it.
void resolve_plain(Node& node) {
    const std::string& text = node.text;
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
        node.kind = Kind::kNull;
    } else if (text == "true" || text == "True" || text == "TRUE") {
        node.kind = Kind::kBool;
        node.text = "true";
    } else if (text == "false" || text == "False" || text == "FALSE") {
        node.kind = Kind::kBool;
        node.text = "false";
    } else {
        const bool sign = text.starts_with('-') || text.starts_with('+');
        const std::string_view digits = std::string_view(text).substr(sign ? 1 : 0);
        const bool padded = digits.size() > 1 && digits.front() == '0';
        node.kind = Kind::kString;
        if (digits_only(digits) && !padded && digits.size() < 20) {
            node.kind = Kind::kInteger;
            if (text.starts_with('+')) node.text.erase(0, 1);
        } else if (is_decimal(text)) {
            node.kind = Kind::kFloat;
        }
    }
}

/// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark& mark) override {
        if (root_.has_value()) {
            throw Stop{position(mark), "a second document begins", "put all apps into one list"};
        }
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        Node node;
        node.at = position(mark);
        add(std::move(node), anchor, false);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) {
            throw Stop{position(mark), "an alias stands inside the value that it names", {}};
        }
        count(count_nodes(found->second), position(mark));
        add(Node(found->second), 0, false);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        Node node;
        node.at = position(mark);
        node.text = value;
        const bool plain = tag == "?" || tag.empty();
        constexpr std::string_view kCore = "tag:yaml.org,2002:";
        if (plain || (tag.starts_with(kCore) && tag != "tag:yaml.org,2002:str")) {
            resolve_plain(node);
        } else if (tag == "!" || tag == "tag:yaml.org,2002:str") {
            node.kind = Kind::kString;
        } else {
            throw Stop{node.at, fmt::format("the tag {} is not supported", quoted(tag)),
                       "remove it"};
        }
        add(std::move(node), anchor, plain);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value /*style*/) override {
        open(Kind::kList, position(mark), anchor);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value /*style*/) override {
        open(Kind::kMap, position(mark), anchor);
    }
    void OnMapEnd() override { close(); }

    std::optional<Node> take() { return std::move(root_); }

  private:
    struct Frame {
        Node node;
        YAML::anchor_t anchor = 0;
        std::optional<Entry> entry;  ///< its key has been read
        bool merge = false;          ///< that key is a plain <<
        std::vector<Node> merges;
    };

    void count(std::size_t more, Position at) {
        nodes_ += more;
        if (nodes_ > TreeLimits::kNodes) {
            throw Stop{at, fmt::format("more than {} values, aliases included", TreeLimits::kNodes),
                       "split the file"};
        }
    }

    bool expects_key() const {
        return !frames_.empty() && frames_.back().node.kind == Kind::kMap &&
               !frames_.back().entry.has_value();
    }

    void open(Kind kind, Position at, YAML::anchor_t anchor) {
        if (expects_key()) throw Stop{at, "a key is a list or an object", "keys are plain texts"};
        if (frames_.size() >= static_cast<std::size_t>(TreeLimits::kDepth)) {
            throw Stop{at, fmt::format("nested more than {} levels deep", TreeLimits::kDepth), {}};
        }
        Frame& frame = frames_.emplace_back();
        frame.node.kind = kind;
        frame.node.at = at;
        frame.anchor = anchor;
    }

    void close() {
        Frame frame = std::move(frames_.back());
        frames_.pop_back();
        merge(frame);
        add(std::move(frame.node), frame.anchor, false);
    }

    void add(Node node, YAML::anchor_t anchor, bool plain) {
        count(1, node.at);
        if (anchor != 0) {
            count(count_nodes(node), node.at);
            anchors_.insert_or_assign(anchor, node);
        }
        if (frames_.empty()) {
            root_ = std::move(node);
        } else if (expects_key()) {
            add_key(node, plain);
        } else if (frames_.back().node.kind == Kind::kList) {
            frames_.back().node.list.push_back(std::move(node));
        } else {
            add_value(std::move(node));
        }
    }

    void add_key(const Node& node, bool plain) {
        if (!node.is_scalar())
            throw Stop{node.at, "a key is a list or an object", "keys are plain texts"};
        if (node.kind == Kind::kNull)
            throw Stop{node.at, "an empty key", "write a key before the \":\""};
        Frame& frame = frames_.back();
        frame.merge = plain && node.text == "<<";
        frame.entry = Entry{node.text, node.at, {}};
    }

    void add_value(Node node) {
        Frame& frame = frames_.back();
        Entry entry = std::move(*frame.entry);
        frame.entry.reset();
        if (!frame.merge) {
            entry.value = std::move(node);
            frame.node.map.push_back(std::move(entry));
        } else if (node.kind == Kind::kMap) {
            frame.merges.push_back(std::move(node));
        } else if (node.kind == Kind::kList) {
            for (Node& item : node.list) {
                if (item.kind != Kind::kMap) bad_merge(entry.at);
                frame.merges.push_back(std::move(item));
            }
        } else {
            bad_merge(entry.at);
        }
    }

    [[noreturn]] static void bad_merge(Position at) {
        throw Stop{at, "\"<<\" merges objects, and this is none",
                   "write <<: *anchor or <<: [*a, *b]"};
    }

    /// What the object itself says wins, then the merged objects in their order.
    void merge(Frame& frame) {
        if (frame.merges.empty()) return;
        std::set<std::string> present;
        for (const Entry& entry : frame.node.map)
            present.insert(entry.key);
        for (Node& source : frame.merges) {
            for (Entry& entry : source.map) {
                if (present.insert(entry.key).second) frame.node.map.push_back(std::move(entry));
            }
        }
    }

    std::vector<Frame> frames_;
    std::map<YAML::anchor_t, Node> anchors_;
    std::optional<Node> root_;
    std::size_t nodes_ = 0;
};

}  // namespace

core::Result<Node> read_yaml(std::string_view text, std::string_view file) {
    std::istringstream stream{std::string(text)};
    TreeBuilder builder;
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Stop& stop) {
        return syntax_error(file, stop.at, stop.problem, stop.hint);
    } catch (const YAML::Exception& error) {
        return syntax_error(file, position(error.mark), core::to_valid_utf8(error.msg));
    }
    return builder.take().value_or(Node{});
}

}  // namespace zona::process::detail

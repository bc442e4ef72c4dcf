#include "core/metrics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>
#include <variant>

#include <fmt/format.h>

namespace zona::core {
namespace {

using Metric =
    std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>>;

struct Family {
    std::string help;
    std::size_t kind;  // index in Metric
    std::vector<double> bounds;
    std::map<Labels, Metric> series;
};

constexpr std::string_view kKinds[] = {"counter", "gauge", "histogram"};

bool is_name(std::string_view name, std::string_view extra) {
    const auto fits = [extra](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
               extra.find(c) != std::string_view::npos;
    };
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, fits);
}

void require(bool holds, std::string_view name, std::string_view rule) {
    if (!holds) throw std::invalid_argument(fmt::format("metric {}: {}", name, rule));
}

std::string escape(std::string_view text, bool quote) {
    std::string escaped;
    for (const char c : text) {
        if (c == '\\') {
            escaped += "\\\\";
        } else if (c == '\n') {
            escaped += "\\n";
        } else if (c == '"' && quote) {
            escaped += "\\\"";
        } else {
            escaped += c;
        }
    }
    return escaped;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

/// "{a="1",le="0.5"}", or nothing without labels.
std::string label_text(const Labels& labels, std::string_view le = {}) {
    std::string text;
    for (const auto& [name, value] : labels) {
        fmt::format_to(std::back_inserter(text), "{}{}=\"{}\"", text.empty() ? "" : ",", name,
                       escape(value, true));
    }
    if (!le.empty()) {
        fmt::format_to(std::back_inserter(text), "{}le=\"{}\"", text.empty() ? "" : ",", le);
    }
    return text.empty() ? text : "{" + text + "}";
}

void render(std::string& out, std::string_view name, const Labels& labels, const Counter& counter) {
    fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, label_text(labels), counter.value());
}

void render(std::string& out, std::string_view name, const Labels& labels, const Gauge& gauge) {
    fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, label_text(labels),
                   number(gauge.value()));
}

void render(std::string& out, std::string_view name, const Labels& labels,
            const Histogram& histogram) {
    const std::vector<std::uint64_t> counts = histogram.counts();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        total += counts[i];
        const std::string le =
            i < histogram.bounds().size() ? number(histogram.bounds()[i]) : "+Inf";
        fmt::format_to(std::back_inserter(out), "{}_bucket{} {}\n", name, label_text(labels, le),
                       total);
    }
    const std::string text = label_text(labels);
    fmt::format_to(std::back_inserter(out), "{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, text,
                   number(histogram.sum()), total);
}

void render(std::string& out, std::string_view name, const Labels& labels, const Metric& metric) {
    std::visit([&](const auto& held) { render(out, name, labels, *held); }, metric);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {}

void Histogram::observe(double value) {
    if (std::isnan(value)) return;
    std::size_t range = 0;
    while (range < bounds_.size() && value > bounds_[range])
        ++range;
    counts_[range].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
    std::vector<std::uint64_t> result(bounds_.size() + 1);
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = counts_[i].load(std::memory_order_relaxed);
    }
    return result;
}

std::vector<double> Histogram::latency_bounds() {
    return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
            0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};
}

struct MetricRegistry::State {
    std::mutex mutex;
    std::map<std::string, Family, std::less<>> families;  // guarded by mutex
    std::vector<std::function<void()>> updates;           // guarded by mutex

    /// Precondition: mutex is held.
    Family& family(std::string_view name, std::string_view help, std::size_t kind) {
        const bool is_counter = kind == 0;
        require(is_name(name, ":"), name, "the name must match [a-z_:][a-z0-9_:]*");
        require(name.ends_with("_total") == is_counter, name,
                "counters, and only they, end in _total");
        require(!help.empty(), name, "needs a help text");
        const auto found = families.find(name);
        if (found == families.end()) {
            Family made{std::string(help), kind, {}, {}};
            return families.emplace(std::string(name), std::move(made)).first->second;
        }
        require(found->second.kind == kind, name, "is another kind of metric already");
        return found->second;
    }
};

namespace {

Metric make_metric(const Family& family) {
    if (family.kind == 0) return std::make_unique<Counter>();
    if (family.kind == 1) return std::make_unique<Gauge>();
    return std::make_unique<Histogram>(family.bounds);
}

Metric& series(Family& family, std::string_view name, Labels labels) {
    std::ranges::sort(labels);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::string& label = labels[i].first;
        require(is_name(label, "") && label != "le" && !label.starts_with("__"), name,
                "a label must match [a-z_][a-z0-9_]* and be neither le nor __*");
        require(i == 0 || labels[i - 1].first != label, name, "has one label twice");
    }
    if (family.series.size() >= MetricRegistry::kMostSeries && !family.series.contains(labels)) {
        for (auto& [label, value] : labels)
            value = "other";
    }
    const auto found = family.series.find(labels);
    if (found != family.series.end()) return found->second;
    return family.series.emplace(std::move(labels), make_metric(family)).first->second;
}

}  // namespace

MetricRegistry::MetricRegistry() : state_(std::make_unique<State>()) {}
MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::counter(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock(state_->mutex);
    return *std::get<0>(series(state_->family(name, help, 0), name, std::move(labels)));
}

Gauge& MetricRegistry::gauge(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock(state_->mutex);
    return *std::get<1>(series(state_->family(name, help, 1), name, std::move(labels)));
}

Histogram& MetricRegistry::histogram(std::string_view name, std::string_view help,
                                     const std::vector<double>& bounds, Labels labels) {
    const std::lock_guard lock(state_->mutex);
    require(!bounds.empty() && std::ranges::is_sorted(bounds, std::less_equal<>()), name,
            "needs bounds in rising order");
    Family& family = state_->family(name, help, 2);
    if (family.series.empty()) family.bounds = bounds;
    return *std::get<2>(series(family, name, std::move(labels)));
}

void MetricRegistry::before_render(std::function<void()> update) {
    const std::lock_guard lock(state_->mutex);
    state_->updates.push_back(std::move(update));
}

std::string MetricRegistry::render_prometheus() {
    std::vector<std::function<void()>> updates;
    {
        const std::lock_guard lock(state_->mutex);
        updates = state_->updates;
    }
    for (const std::function<void()>& update : updates)
        update();

    const std::lock_guard lock(state_->mutex);
    std::string out;
    for (const auto& [name, family] : state_->families) {
        fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name,
                       escape(family.help, false), name, kKinds[family.kind]);
        for (const auto& [labels, metric] : family.series) {
            render(out, name, labels, metric);
        }
    }
    return out;
}

}  // namespace zona::core

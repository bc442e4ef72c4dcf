/// @file
/// Counters, gauges and histograms of this process, rendered in the text format of Prometheus.
///
/// An own implementation of some 250 lines: prometheus-cpp would add three shared libraries to a
/// daemon whose start-up time and memory are budgeted, and its metrics are found by hash on each
/// use.
///
/// A metric is registered once, at construction of whoever counts, and the returned reference is
/// kept: it is valid as long as the registry. Counting is lock-free (one atomic add; a histogram
/// two) and may be done from any thread; registering and rendering take a lock. A read while others
/// count may see a histogram's sum without its newest observations, never a torn number. Source:
/// HTTP-13, Prometheus exposition format 0.0.4.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zona::core {

/// A number that only grows, until the process ends.
class Counter {
  public:
    /// Any thread, without a lock.
    void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

/// A number that goes up and down.
class Gauge {
  public:
    /// @{
    /// Any thread, without a lock.
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
    /// @}
    double value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<double> value_{0};
};

/// How often values fell into fixed ranges.
class Histogram {
  public:
    /// `bounds` are inclusive upper bounds in rising order; one range above the last is added.
    explicit Histogram(std::vector<double> bounds);

    /// Counts `value`; NaN is ignored. Linear in the number of bounds.
    void observe(double value);

    /// Observations so far, per range, not accumulated; the last is the one above all bounds.
    std::vector<std::uint64_t> counts() const;
    const std::vector<double>& bounds() const { return bounds_; }
    double sum() const { return sum_.load(std::memory_order_relaxed); }

    /// 100 µs to 10 s in steps of about 2.5: answers of a daemon on the same machine or network, in
    /// seconds.
    static std::vector<double> latency_bounds();

  private:
    std::vector<double> bounds_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
    std::atomic<double> sum_{0};
};

/// Names and values that tell one series of a metric from another, e.g. {{"route",
/// "/api/v1/ping"}}.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// All metrics of one process.
///
/// Names follow what `promtool check metrics` asks for: [a-z_:][a-z0-9_:]*, base units in the name
/// (_seconds, _bytes), counters and only counters end in _total, a help text. Asking for a name
/// with the same labels again gives the same object; the help and the bounds of the first
/// registration stay. A wrong name, one that is another kind of metric already, or a wrong or
/// reserved label ("le") is a mistake in the program and throws std::invalid_argument.
class MetricRegistry {
  public:
    /// Over this many series of one metric, further label values share one series whose label
    /// values are all "other": what a client sends cannot grow the daemon's memory.
    static constexpr std::size_t kMostSeries = 1000;

    MetricRegistry();
    ~MetricRegistry();
    MetricRegistry(const MetricRegistry&) = delete;
    MetricRegistry& operator=(const MetricRegistry&) = delete;

    /// @{
    /// The series of that name with these labels, made at the first call; lives as long as the
    /// registry. Takes a lock: keep the reference where it is used often. A histogram needs
    /// `bounds`.
    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
    Histogram& histogram(std::string_view name, std::string_view help,
                         const std::vector<double>& bounds, Labels labels = {});
    /// @}

    /// `update` runs before each rendering, in the order of registration and under no lock: for
    /// gauges whose value has to be asked for. What it refers to must outlive the registry or the
    /// last rendering.
    void before_render(std::function<void()> update);

    /// The text format, metrics in the order of their names. Content type: text/plain;
    /// version=0.0.4.
    std::string render_prometheus();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace zona::core

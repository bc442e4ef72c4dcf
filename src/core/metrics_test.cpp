#include "core/metrics.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace zona::core {
namespace {

TEST(RenderPrometheus, ShowsEveryKindWithLabels) {
    MetricRegistry registry;
    registry
        .counter("zona_http_requests_total", "Requests answered.",
                 {{"status", "200"}, {"route", "/a"}})
        .add(3);
    registry.gauge("zona_processes", "Processes by state.", {{"state", "online"}}).set(2.5);
    Histogram& latency = registry.histogram("zona_http_request_seconds", "Time to answer.",
                                            {0.1, 1}, {{"route", "/a"}});
    latency.observe(0.1);
    latency.observe(0.5);
    latency.observe(7);

    EXPECT_EQ(registry.render_prometheus(),
              "# HELP zona_http_request_seconds Time to answer.\n"
              "# TYPE zona_http_request_seconds histogram\n"
              "zona_http_request_seconds_bucket{route=\"/a\",le=\"0.1\"} 1\n"
              "zona_http_request_seconds_bucket{route=\"/a\",le=\"1\"} 2\n"
              "zona_http_request_seconds_bucket{route=\"/a\",le=\"+Inf\"} 3\n"
              "zona_http_request_seconds_sum{route=\"/a\"} 7.6\n"
              "zona_http_request_seconds_count{route=\"/a\"} 3\n"
              "# HELP zona_http_requests_total Requests answered.\n"
              "# TYPE zona_http_requests_total counter\n"
              "zona_http_requests_total{route=\"/a\",status=\"200\"} 3\n"
              "# HELP zona_processes Processes by state.\n"
              "# TYPE zona_processes gauge\n"
              "zona_processes{state=\"online\"} 2.5\n");
}

TEST(RenderPrometheus, EscapesHelpAndLabelValues) {
    MetricRegistry registry;
    registry.gauge("g", "a\\b\nc \"d\"", {{"l", "a\\b\nc \"d\""}})
        .set(std::numeric_limits<double>::infinity());
    EXPECT_EQ(registry.render_prometheus(),
              "# HELP g a\\\\b\\nc \"d\"\n# TYPE g gauge\ng{l=\"a\\\\b\\nc \\\"d\\\"\"} +Inf\n");
}

TEST(RenderPrometheus, AsksForValuesFirst) {
    MetricRegistry registry;
    Gauge& gauge = registry.gauge("g", "h");
    registry.before_render([&] { gauge.add(1); });
    registry.before_render([&] { registry.gauge("made_while_rendering", "h").set(1); });
    EXPECT_NE(registry.render_prometheus().find("\ng 1\n"), std::string::npos);
    EXPECT_NE(registry.render_prometheus().find("\ng 2\n"), std::string::npos);
}

TEST(MetricRegistry, GivesTheSameSeriesForTheSameLabelsInAnyOrder) {
    MetricRegistry registry;
    Counter& one = registry.counter("x_total", "h", {{"a", "1"}, {"b", "2"}});
    Counter& two = registry.counter("x_total", "ignored", {{"b", "2"}, {"a", "1"}});
    EXPECT_EQ(&one, &two);
    EXPECT_NE(&one, &registry.counter("x_total", "h"));
}

TEST(MetricRegistry, RefusesNamesThatPrometheusWouldNotLike) {
    MetricRegistry registry;
    registry.gauge("taken", "h");
    EXPECT_THROW(registry.counter("requests", "h"), std::invalid_argument);
    EXPECT_THROW(registry.gauge("size_total", "h"), std::invalid_argument);
    EXPECT_THROW(registry.gauge("1st", "h"), std::invalid_argument);
    EXPECT_THROW(registry.gauge("a-b", "h"), std::invalid_argument);
    EXPECT_THROW(registry.gauge("camelCase", "h"), std::invalid_argument);
    EXPECT_THROW(registry.gauge("g", ""), std::invalid_argument);
    EXPECT_THROW(registry.gauge("g", "h", {{"le", "1"}}), std::invalid_argument);
    EXPECT_THROW(registry.gauge("g", "h", {{"a", "1"}, {"a", "2"}}), std::invalid_argument);
    EXPECT_THROW(registry.histogram("taken", "h", {1}), std::invalid_argument);
    EXPECT_THROW(registry.histogram("h", "h", {2, 1}), std::invalid_argument);
    EXPECT_THROW(registry.histogram("h", "h", {1, 1}), std::invalid_argument);
}

TEST(MetricRegistry, FoldsSeriesOverTheLimitIntoOne) {
    MetricRegistry registry;
    for (std::size_t i = 0; i < MetricRegistry::kMostSeries + 50; ++i) {
        registry.counter("x_total", "h", {{"path", std::to_string(i)}}).add();
    }
    EXPECT_EQ(registry.counter("x_total", "h", {{"path", "other"}}).value(), 50U);
    EXPECT_EQ(registry.counter("x_total", "h", {{"path", "7"}}).value(), 1U);
}

TEST(Histogram, PutsABoundIntoItsOwnRangeAndIgnoresNan) {
    Histogram histogram({1, 2});
    histogram.observe(1);
    histogram.observe(1.5);
    histogram.observe(std::nan(""));
    histogram.observe(-5);
    EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{2, 1, 0}));
    EXPECT_EQ(histogram.sum(), -2.5);
}

TEST(Metrics, LoseNoCountWhenThreadsCountTogether) {
    MetricRegistry registry;
    Counter& counter = registry.counter("x_total", "h");
    Gauge& gauge = registry.gauge("g", "h");
    Histogram& histogram = registry.histogram("h", "h", {0.5});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) {
                counter.add();
                gauge.add(1);
                histogram.observe(1);
            }
        });
    }
    registry.render_prometheus();
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(counter.value(), 4000U);
    EXPECT_EQ(gauge.value(), 4000);
    EXPECT_EQ(histogram.sum(), 4000);
}

}  // namespace
}  // namespace zona::core

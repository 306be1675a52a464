#include "metrics/scrape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiwi::metrics {
namespace {

using testing::HasSubstr;

constexpr FamilyRow kRows[] = {
    {"kiwi_things_total", Kind::kCounter, "kind", "Things that happened."},
    {"kiwi_level", Kind::kGauge, "", "How high it stands."},
    {"kiwi_wait_seconds", Kind::kHistogram, "stage", "Waits."},
};

TEST(Scrape, IsWrittenInPrometheusTextFormat) {
  HistogramCell<CoarseBuckets> cell;
  cell.Record(1'500);
  cell.Record(3'000'000'000);
  HistogramSum sum;
  sum.Add(cell);

  Scrape scrape(kRows);
  scrape.Add(0, {{"kind", "good"}}, 3);
  scrape.Add(0, {{"kind", "bad"}}, 1e12);
  scrape.Add(1, {}, -2.5);
  scrape.Add(2, {{"stage", "parse"}}, sum);
  const std::string text = Render(scrape.Take());

  EXPECT_THAT(text, HasSubstr("# HELP kiwi_things_total Things that happened.\n"
                              "# TYPE kiwi_things_total counter\n"
                              "kiwi_things_total{kind=\"good\"} 3\n"
                              "kiwi_things_total{kind=\"bad\"} 1000000000000\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE kiwi_level gauge\nkiwi_level -2.5\n"));
  EXPECT_THAT(text, HasSubstr("kiwi_wait_seconds_count{stage=\"parse\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kiwi_wait_seconds_bucket{stage=\"parse\",le=\"+Inf\"} 2\n"));
}

TEST(Scrape, AFamilyWithoutSamplesIsStillNamed) {
  const std::string text = Render(Scrape(kRows).Take());
  EXPECT_THAT(text, HasSubstr("# TYPE kiwi_wait_seconds histogram\n"));
}

TEST(Scrape, LabelValuesAreEscaped) {
  Scrape scrape(kRows);
  scrape.Add(0, {{"kind", "a\"b\\c\nd"}}, 1);
  EXPECT_THAT(Render(scrape.Take()), HasSubstr("kind=\"a\\\"b\\\\c\\nd\""));
}

}  // namespace
}  // namespace kiwi::metrics

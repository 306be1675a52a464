// Tables of figures, one row each: where it stands in INFO and in the metrics, and how it is read
// from a snapshot of its source. Both are made from the same rows.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "commands/info_figures.h"
#include "metrics/scrape.h"

namespace kiwi::server {

inline constexpr size_t kNoFamily = SIZE_MAX;

// The position of a family in its table; a name that is not there does not compile.
consteval size_t FamilyIn(std::span<const metrics::FamilyRow> rows, std::string_view name) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].name == name) return i;
  }
  throw "no such family";  // stops the compiler
}

template <typename Source>
struct Figure {
  std::string_view info;  // empty: not in INFO
  size_t family = kNoFamily;
  std::array<metrics::Label, 2> labels{};  // those with a name
  double (*get)(const Source& source) = nullptr;
  double unit = 1;       // INFO's in the metrics' (seconds, bytes)
  bool decimal = false;  // in INFO: else a whole number
};

template <typename Source>
void AddToInfo(std::span<const Figure<Source>> rows, const Source& source,
               std::vector<commands::NamedFigure>* out) {
  for (const Figure<Source>& row : rows) {
    if (row.info.empty()) continue;
    const double value = row.get(source);
    commands::NamedFigure& figure = out->emplace_back();
    figure.name = row.info;
    if (row.decimal) {
      figure.value = value;
    } else {
      figure.value = static_cast<int64_t>(value);
    }
  }
}

// With the labels of the row behind `common`.
template <typename Source>
void AddToScrape(std::span<const Figure<Source>> rows, const Source& source,
                 std::span<const metrics::Label> common, metrics::Scrape* scrape) {
  for (const Figure<Source>& row : rows) {
    if (row.family == kNoFamily) continue;
    std::vector<metrics::Label> labels(common.begin(), common.end());
    for (const metrics::Label& label : row.labels) {
      if (!label.first.empty()) labels.push_back(label);
    }
    scrape->Add(row.family, labels, row.get(source) * row.unit);
  }
}

}  // namespace kiwi::server

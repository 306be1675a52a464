#include "commands/info_writer.h"

#include <array>
#include <charconv>
#include <cmath>

namespace kiwi::commands {

void InfoWriter::Section(std::string_view title) {
  if (!text_.empty()) text_ += "\r\n";
  text_ += "# ";
  text_ += title;
  text_ += "\r\n";
}

void InfoWriter::Field(std::string_view name, std::string_view value) {
  text_ += name;
  text_ += ':';
  text_ += value;
  text_ += "\r\n";
}

void InfoWriter::Decimal(std::string_view name, double value, int digits) {
  Field(name, FormatDecimal(value, digits));
}

void InfoWriter::Human(std::string_view name, uint64_t bytes) {
  Field(std::string(name) + "_human", HumanBytes(bytes));
}

void InfoWriter::Bytes(std::string_view name, uint64_t bytes) {
  Field(name, bytes);
  Human(name, bytes);
}

std::string FormatDecimal(double value, int digits) {
  if (!std::isfinite(value)) value = 0;
  char buffer[340 + 32];  // the longest double in fixed notation, and its fraction
  const auto result =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed, digits);
  return std::string(buffer, result.ptr);
}

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + "B";
  constexpr std::array<char, 5> kUnits = {'K', 'M', 'G', 'T', 'P'};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return FormatDecimal(value, 2) + kUnits[unit];
}

}  // namespace kiwi::commands

// Writes INFO's text: "# Section" headings and "name:value" lines, CRLF at their ends.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi::commands {

class InfoWriter {
 public:
  void Section(std::string_view title);
  void Field(std::string_view name, std::string_view value);
  void Field(std::string_view name, std::integral auto value) {
    Field(name, std::string_view(std::to_string(value)));
  }
  void Decimal(std::string_view name, double value, int digits);
  // The same figure twice: `name` in bytes, `name`_human in a unit that suits.
  void Bytes(std::string_view name, uint64_t bytes);
  void Human(std::string_view name, uint64_t bytes);

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string FormatDecimal(double value, int digits);
// "512B", "1.50K", "23.54G".
std::string HumanBytes(uint64_t bytes);

}  // namespace kiwi::commands

#include "commands/listpack.h"

#include <cstdint>

#include "base/coding.h"

namespace kiwi::commands {
namespace {

constexpr size_t kHeaderBytes = 6;  // bytes in total, elements
constexpr uint16_t kCountUnknown = 0xffff;
constexpr uint8_t kEnd = 0xff;

int64_t SignExtend(uint64_t value, int bits) {
  const int shift = 64 - bits;
  return static_cast<int64_t>(value << shift) >> shift;
}

bool GetBytes(std::string_view* in, size_t n, std::string* out) {
  if (n > in->size()) return false;
  out->assign(in->substr(0, n));
  in->remove_prefix(n);
  return true;
}

bool GetLittleEndian(std::string_view* in, size_t bytes, uint64_t* value) {
  if (bytes > in->size()) return false;
  *value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    *value |= uint64_t{static_cast<uint8_t>((*in)[i])} << (8 * i);
  }
  in->remove_prefix(bytes);
  return true;
}

bool GetInteger(std::string_view* in, size_t bytes, std::string* out) {
  uint64_t value = 0;
  if (!GetLittleEndian(in, bytes, &value)) return false;
  *out = std::to_string(SignExtend(value, static_cast<int>(bytes) * 8));
  return true;
}

bool GetElement(std::string_view* in, std::string* out) {
  const auto first = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  if (first < 0x80) {
    *out = std::to_string(first);
    return true;
  }
  if (first < 0xc0) return GetBytes(in, first & 0x3f, out);
  if (first < 0xf0) {  // 13 bits of an integer, or 12 of a length
    uint8_t low = 0;
    if (!GetBigEndian(in, &low)) return false;
    if (first >= 0xe0) return GetBytes(in, size_t{first & 0x0fu} << 8 | low, out);
    *out = std::to_string(SignExtend(uint64_t{first & 0x1fu} << 8 | low, 13));
    return true;
  }
  uint64_t length = 0;
  switch (first) {
    case 0xf0:
      return GetLittleEndian(in, 4, &length) && GetBytes(in, length, out);
    case 0xf1:
      return GetInteger(in, 2, out);
    case 0xf2:
      return GetInteger(in, 3, out);
    case 0xf3:
      return GetInteger(in, 4, out);
    case 0xf4:
      return GetInteger(in, 8, out);
    default:
      return false;
  }
}

// Behind each element stands its length for walks backwards, 7 bits a byte.
size_t BackLengthBytes(size_t element) {
  if (element <= 127) return 1;
  if (element < 16383) return 2;
  if (element < 2097151) return 3;
  return element < 268435455 ? 4 : 5;
}

}  // namespace

bool DecodeListpack(std::string_view block, std::vector<std::string>* elements) {
  std::string_view in = block;
  uint32_t total = 0;
  uint16_t count = 0;
  if (!GetFixed(&in, &total) || !GetFixed(&in, &count)) return false;
  if (total != block.size() || total <= kHeaderBytes) return false;
  while (!in.empty() && static_cast<uint8_t>(in.front()) != kEnd) {
    const size_t before = in.size();
    if (!GetElement(&in, &elements->emplace_back())) return false;
    const size_t back = BackLengthBytes(before - in.size());
    if (back > in.size()) return false;
    in.remove_prefix(back);
  }
  return in.size() == 1 && (count == kCountUnknown || count == elements->size());
}

}  // namespace kiwi::commands

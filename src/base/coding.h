// Integers as bytes: LEB128 varints and length-prefixed slices for compact records, fixed
// little-endian for headers, fixed big-endian for keys (their byte order is their numeric order).
// Decoders take the input by reference, advance it past what they read, and return false, leaving
// it where it was, when it is cut short or malformed. They never trust a length.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kiwi {

inline constexpr size_t kMaxVarint64Bytes = 10;

inline char* EncodeVarint(char* out, uint64_t v) {
  while (v >= 0x80) {
    *out++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *out++ = static_cast<char>(v);
  return out;
}

inline size_t VarintLength(uint64_t v) {
  size_t n = 1;
  while (v >= 0x80) {
    v >>= 7;
    ++n;
  }
  return n;
}

inline void PutVarint(std::string* out, uint64_t v) {
  char buf[kMaxVarint64Bytes];
  out->append(buf, static_cast<size_t>(EncodeVarint(buf, v) - buf));
}

inline bool GetVarint(std::string_view* in, uint64_t* v) {
  uint64_t result = 0;
  const size_t limit = in->size() < kMaxVarint64Bytes ? in->size() : kMaxVarint64Bytes;
  for (size_t i = 0; i < limit; ++i) {
    const auto byte = static_cast<unsigned char>((*in)[i]);
    if (i == 9 && byte > 1) return false;  // more than 64 bits
    result |= uint64_t{byte & 0x7fu} << (7 * i);
    if (byte < 0x80) {
      in->remove_prefix(i + 1);
      *v = result;
      return true;
    }
  }
  return false;
}

// Maps small magnitudes of either sign to small unsigned numbers.
inline uint64_t ZigZag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
inline int64_t UnZigZag(uint64_t v) {
  return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
}

inline void PutLengthPrefixed(std::string* out, std::string_view s) {
  PutVarint(out, s.size());
  out->append(s);
}

inline bool GetLengthPrefixed(std::string_view* in, std::string_view* s) {
  std::string_view rest = *in;
  uint64_t n = 0;
  if (!GetVarint(&rest, &n) || n > rest.size()) return false;
  *s = rest.substr(0, n);
  *in = rest.substr(n);
  return true;
}

template <typename T>
inline void PutFixed(std::string* out, T v) {  // little-endian
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  out->append(reinterpret_cast<const char*>(&v), sizeof(v));
}

template <typename T>
inline bool GetFixed(std::string_view* in, T* v) {
  if (in->size() < sizeof(T)) return false;
  std::memcpy(v, in->data(), sizeof(T));
  in->remove_prefix(sizeof(T));
  return true;
}

template <typename T>
inline void PutBigEndian(std::string* out, T v) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(v >> shift));
  }
}

template <typename T>
inline bool GetBigEndian(std::string_view* in, T* v) {
  if (in->size() < sizeof(T)) return false;
  T result = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    result = static_cast<T>((result << 8) | static_cast<unsigned char>((*in)[i]));
  }
  in->remove_prefix(sizeof(T));
  *v = result;
  return true;
}

}  // namespace kiwi

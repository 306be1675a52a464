// What a page row holds: the small objects of a leaf, and for large values the number of their body.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/status.h"
#include "keyspace/leaf.h"

namespace kiwi::keyspace {

std::string EncodePage(const Leaf& leaf);

// One object of a page. The views point into the page.
struct PageEntry {
  Object::Shape shape;
  std::string_view key;
  std::string_view value;  // when it has no body
  uint64_t body_id = 0;    // when it has one
  uint64_t body_size = 0;  // bytes of a blob, fields of a table
};

struct PageHead {
  int depth = 0;
  uint64_t count = 0;
};

// kCorruption, or what visit returns, or Ok after all entries were visited.
Status DecodePage(std::string_view page, PageHead* head,
                  FunctionRef<Status(const PageEntry&)> visit);

}  // namespace kiwi::keyspace

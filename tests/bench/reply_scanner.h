// Counts complete RESP2 replies in a stream without building them: a client that drives a server
// hard must cost little itself.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace kiwi::bench {

class ReplyScanner {
 public:
  // Takes what one read brought, cut anywhere; the number of replies that it completed.
  size_t Feed(std::string_view bytes) {
    size_t complete = 0;
    while (!bytes.empty()) {
      if (skip_ > 0) {
        const size_t n = std::min(skip_, bytes.size());
        skip_ -= n;
        bytes.remove_prefix(n);
        if (skip_ == 0) complete += ElementEnds();
        continue;
      }
      const size_t end = bytes.find('\n');
      line_.append(bytes.substr(0, end));
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 1);
      complete += LineEnds();
      line_.clear();
    }
    return complete;
  }

  uint64_t errors() const { return errors_; }
  const std::string& last_error() const { return last_error_; }

 private:
  // Whether the element that ends here is the last of its reply.
  size_t ElementEnds() { return --open_ == 0 ? Done() : 0; }
  size_t Done() {
    open_ = 1;
    return 1;
  }

  size_t LineEnds() {
    const char kind = line_.front();
    if (kind == '$' || kind == '*') {
      const long long size = std::atoll(line_.c_str() + 1);
      if (kind == '*' && size > 0) {
        open_ += static_cast<uint64_t>(size) - 1;
        return 0;
      }
      if (kind == '$' && size >= 0) {
        skip_ = static_cast<size_t>(size) + 2;
        return 0;
      }
    }
    if (kind == '-') {
      ++errors_;
      last_error_ = line_;
    }
    return ElementEnds();
  }

  uint64_t open_ = 1;  // elements still to come of the reply under way
  size_t skip_ = 0;    // bytes of a string still to come
  std::string line_;
  uint64_t errors_ = 0;
  std::string last_error_;
};

}  // namespace kiwi::bench

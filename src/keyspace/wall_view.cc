#include "keyspace/wall_view.h"

namespace kiwi::keyspace {

void WallView::Met(int db, std::string_view key, int64_t expire_at_ms, int64_t replicated_ms) {
  const bool expired = expire_at_ms <= replicated_ms;
  if (!expired && expire_at_ms > now_ms()) return;
  due_ = due_ || !expired;
  if (!expired_.empty() && (expired_.size() >= kMaxKeys || bytes_ + key.size() > kMaxBytes)) {
    return;
  }
  bytes_ += key.size();
  expired_.push_back({.db = db, .key = std::string(key)});
}

}  // namespace kiwi::keyspace

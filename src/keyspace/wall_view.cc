#include "keyspace/wall_view.h"

namespace kiwi::keyspace {

void WallView::Met(int db, const Object& object, int64_t replicated_ms) {
  const bool expired = object.ExpiredAt(replicated_ms);
  if (!expired && !object.ExpiredAt(now_ms())) return;
  due_ = due_ || !expired;
  if (!expired_.empty() &&
      (expired_.size() >= kMaxKeys || bytes_ + object.key().size() > kMaxBytes)) {
    return;
  }
  bytes_ += object.key().size();
  expired_.push_back({.db = db, .key = std::string(object.key())});
}

}  // namespace kiwi::keyspace

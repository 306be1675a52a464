#include "storage/file_faults.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <thread>
#include <utility>

namespace kiwi::storage {

bool FileFaults::Window::Take() {
  if (all) return true;
  if (first > 1) {
    --first;
    return false;
  }
  if (count == 0) return false;
  --count;
  return true;
}

void FileFaults::OnlyPathsWith(std::string text) {
  MutexLock lock(mu_);
  paths_ = std::move(text);
}

void FileFaults::FailSync(uint64_t nth, uint64_t count) {
  MutexLock lock(mu_);
  fail_ = {nth, nth == 0 ? 0 : count, false};
}

void FileFaults::FailAllSyncs(bool on) {
  MutexLock lock(mu_);
  fail_ = {0, 0, on};
}

void FileFaults::LieAboutSync(uint64_t nth) {
  MutexLock lock(mu_);
  lie_ = {nth, nth == 0 ? 0u : 1u, false};
}

void FileFaults::LieAboutAllSyncs(bool on) {
  MutexLock lock(mu_);
  lie_ = {0, 0, on};
}

void FileFaults::LimitSpace(uint64_t bytes_left) {
  MutexLock lock(mu_);
  space_limited_ = true;
  space_left_ = bytes_left;
}

void FileFaults::UnlimitSpace() {
  MutexLock lock(mu_);
  space_limited_ = false;
}

void FileFaults::SlowSyncs(std::chrono::milliseconds delay) {
  MutexLock lock(mu_);
  sync_delay_ = delay;
}

void FileFaults::FlipReadBits(uint64_t one_in) {
  MutexLock lock(mu_);
  flip_one_in_ = one_in;
}

void FileFaults::Clear() {
  MutexLock lock(mu_);
  paths_.clear();
  fail_ = lie_ = {};
  space_limited_ = false;
  sync_delay_ = std::chrono::milliseconds(0);
  flip_one_in_ = 0;
}

Status FileFaults::Set(std::string_view fault, std::string_view value) {
  uint64_t number = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool is_number = parsed.ec == std::errc() && parsed.ptr == value.data() + value.size();
  const bool off = value == "off" || value.empty();
  const auto wrong = [&] {
    return Status(StatusCode::kInvalidArgument,
                  "'" + std::string(value) + "' is no number for " + std::string(fault));
  };
  if (fault == "clear") {
    Clear();
    return {};
  }
  if (fault == "paths") {
    OnlyPathsWith(off ? "" : std::string(value));
    return {};
  }
  if (!off && !is_number) return wrong();
  if (fault == "fail-sync") {
    FailSync(number);
  } else if (fault == "fail-all-syncs") {
    FailAllSyncs(number != 0);
  } else if (fault == "lie-sync") {
    LieAboutSync(number);
  } else if (fault == "lie-all-syncs") {
    LieAboutAllSyncs(number != 0);
  } else if (fault == "space-left") {
    if (off) {
      UnlimitSpace();
    } else {
      LimitSpace(number);
    }
  } else if (fault == "slow-sync-ms") {
    SlowSyncs(std::chrono::milliseconds(std::min<uint64_t>(number, 60000)));
  } else if (fault == "flip-reads") {
    FlipReadBits(number);
  } else {
    return {StatusCode::kInvalidArgument,
            "no fault '" + std::string(fault) +
                "'; there are: fail-sync, fail-all-syncs, lie-sync, lie-all-syncs, space-left, "
                "slow-sync-ms, flip-reads, paths, clear"};
  }
  return {};
}

uint64_t FileFaults::syncs() const {
  MutexLock lock(mu_);
  return syncs_;
}

bool FileFaults::Concerns(std::string_view path) const {
  return path.find(paths_) != std::string_view::npos;
}

FileFaults::SyncOutcome FileFaults::BeforeSync(std::string_view path) {
  std::chrono::milliseconds delay{0};
  SyncOutcome outcome = SyncOutcome::kDone;
  {
    MutexLock lock(mu_);
    if (!Concerns(path)) return outcome;
    ++syncs_;
    delay = sync_delay_;
    if (fail_.Take()) {
      outcome = SyncOutcome::kFails;
    } else if (lie_.Take()) {
      outcome = SyncOutcome::kLies;
    }
  }
  if (delay.count() > 0) std::this_thread::sleep_for(delay);
  return outcome;
}

uint64_t FileFaults::TakeSpace(uint64_t bytes) {
  MutexLock lock(mu_);
  if (!space_limited_) return bytes;
  const uint64_t fits = std::min(bytes, space_left_);
  space_left_ -= fits;
  return fits;
}

void FileFaults::AfterRead(std::string_view path, char* bytes, size_t size) {
  MutexLock lock(mu_);
  if (flip_one_in_ == 0 || size == 0 || !Concerns(path) || !random_.OneIn(flip_one_in_)) return;
  bytes[random_.Below(size)] ^= static_cast<char>(1u << random_.Below(8));
}

}  // namespace kiwi::storage

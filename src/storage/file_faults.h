// What a FileLayer is told to do wrong. Every function may be called at any time from any thread.
// Counters count from the call on; 0, empty or "off" ends a fault.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/random.h"
#include "base/status.h"

namespace kiwi::storage {

class FileFaults {
 public:
  // What is to become of a sync.
  enum class SyncOutcome { kDone, kFails, kLies };

  explicit FileFaults(uint64_t seed) : random_(seed) {}

  // Only syncs (and flipped reads) of files whose path contains this are concerned, say ".log".
  void OnlyPathsWith(std::string text);
  // The nth sync from now fails, and so do the count - 1 behind it.
  void FailSync(uint64_t nth, uint64_t count = 1);
  void FailAllSyncs(bool on);
  // The nth sync from now, or all, return success without making anything durable.
  void LieAboutSync(uint64_t nth);
  void LieAboutAllSyncs(bool on);
  // Appends fail with kNoSpace once so many more bytes are written.
  void LimitSpace(uint64_t bytes_left);
  void UnlimitSpace();
  void SlowSyncs(std::chrono::milliseconds delay);
  // One read in `one_in` has one bit flipped.
  void FlipReadBits(uint64_t one_in);
  void Clear();

  // The same by name, for an administrator's command: "fail-sync" 3, "fail-all-syncs" 1,
  // "lie-sync" 2, "lie-all-syncs" 1, "space-left" 4096 (or "off"), "slow-sync-ms" 50,
  // "flip-reads" 100, "paths" .log, "clear" "". kInvalidArgument names what there is.
  Status Set(std::string_view fault, std::string_view value);

  uint64_t syncs() const;  // so many were asked for, whatever became of them

  // For the layer. Sleeps if syncs are slow.
  SyncOutcome BeforeSync(std::string_view path);
  // How many of so many bytes still fit.
  uint64_t TakeSpace(uint64_t bytes);
  void AfterRead(std::string_view path, char* bytes, size_t size);

 private:
  struct Window {
    uint64_t first = 0;  // counted down to 1, which is the next one
    uint64_t count = 0;
    bool all = false;

    bool Take();
  };

  bool Concerns(std::string_view path) const KIWI_REQUIRES(mu_);

  mutable Mutex mu_;
  std::string paths_ KIWI_GUARDED_BY(mu_);
  Window fail_ KIWI_GUARDED_BY(mu_);
  Window lie_ KIWI_GUARDED_BY(mu_);
  bool space_limited_ KIWI_GUARDED_BY(mu_) = false;
  uint64_t space_left_ KIWI_GUARDED_BY(mu_) = 0;
  std::chrono::milliseconds sync_delay_ KIWI_GUARDED_BY(mu_){0};
  uint64_t flip_one_in_ KIWI_GUARDED_BY(mu_) = 0;
  uint64_t syncs_ KIWI_GUARDED_BY(mu_) = 0;
  Random random_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::storage

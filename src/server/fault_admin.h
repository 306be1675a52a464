// Every fault that tests inject into this process, behind the FAULT commands. Made at start-up when
// fault.enabled says so, and outlives whatever it breaks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "commands/fault_view.h"
#include "fault/link_faults.h"
#include "fault/skewed_clock.h"
#include "storage/file_layer.h"

namespace kiwi::server {

class FaultAdmin final : public commands::FaultView {
 public:
  // with_file_layer: a layer that can fail is to be put under the backends.
  FaultAdmin(Clock* clock, bool with_file_layer);

  Clock& clock() { return clock_; }
  fault::LinkFaults& links() { return links_; }
  storage::FileLayer* file_layer() { return file_layer_.get(); }  // may be null

  Result<uint64_t> Inject(const commands::FaultOrder& order) override;
  std::vector<commands::ActiveFault> List() const override;
  bool Clear(uint64_t id) override;
  size_t ClearAll() override;
  std::vector<commands::FaultEvent> Events() const override;

 private:
  struct Entry {
    commands::ActiveFault fault;
    uint64_t link_rule = 0;  // of links_; 0: it is no fault of a link
  };

  Result<uint64_t> InjectLink(const commands::FaultOrder& order, fault::LinkFaultKind kind)
      KIWI_EXCLUDES(mu_);
  // Begins a fault of the node, or ends it.
  Status SetNodeFault(const commands::FaultOrder& order, bool on);
  uint64_t Add(commands::ActiveFault fault, uint64_t link_rule) KIWI_REQUIRES(mu_);
  void End(const Entry& entry);

  fault::SkewedClock clock_;
  fault::LinkFaults links_;
  const std::unique_ptr<storage::FileLayer> file_layer_;
  mutable Mutex mu_;
  uint64_t next_id_ KIWI_GUARDED_BY(mu_) = 1;
  std::vector<Entry> active_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::server

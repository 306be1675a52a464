// Every fault that tests inject into this process, behind the FAULT commands. Made at start-up when
// fault.enabled says so, and outlives whatever it breaks.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "commands/fault_view.h"
#include "fault/link_faults.h"
#include "fault/skewed_clock.h"
#include "storage/file_layer.h"

namespace kiwi::server {

struct FaultOptions {
  uint64_t node = 0;         // this one
  bool file_layer = true;    // a layer that can fail is to be put under the backends
  double probability = 1.0;  // of a fault of links that names none
  std::map<std::string, int64_t> amounts = {};  // by kind, likewise
};

class FaultAdmin final : public commands::FaultView {
 public:
  FaultAdmin(Clock* clock, FaultOptions options);

  Clock& clock() { return clock_; }
  fault::LinkFaults& links() { return links_; }
  storage::FileLayer* file_layer() { return file_layer_.get(); }  // may be null

  int64_t DefaultAmount(std::string_view kind) const override;
  double DefaultProbability() const override { return options_.probability; }
  Result<uint64_t> Inject(const commands::FaultOrder& given) override;
  std::vector<commands::ActiveFault> List() const override;
  bool Clear(uint64_t id) override;
  size_t ClearAll() override;
  std::vector<commands::FaultEvent> Events() const override;

 private:
  struct Entry {
    commands::ActiveFault fault;
    bool link = false;  // a rule of links_, with the same id
  };

  Result<uint64_t> InjectLink(const commands::FaultOrder& order, fault::LinkFaultKind kind)
      KIWI_EXCLUDES(mu_);
  // Begins a fault of the node, or ends it.
  Status SetNodeFault(const commands::FaultOrder& order, bool on);
  void End(const Entry& entry);

  const FaultOptions options_;
  fault::SkewedClock clock_;
  fault::LinkFaults links_;
  const std::unique_ptr<storage::FileLayer> file_layer_;
  mutable Mutex mu_;
  std::vector<Entry> active_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::server

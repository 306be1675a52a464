// What FAULT.* commands see of the server: faults of the node and its links, in strings and numbers.
// Implemented by the server; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace kiwi::commands {

struct FaultOrder {
  std::string kind;          // of commands/fault.cc's table, in lower case
  uint64_t from = 0;         // of a link: node ids; 0: any. Else this node's, once it is injected
  uint64_t to = 0;           //
  double probability = 1.0;  // of a link, of each message
  int64_t amount = 0;        // in the kind's unit: milliseconds, percent or bytes
};

struct ActiveFault {
  uint64_t id = 0;
  FaultOrder order;
  uint64_t hits = 0;  // of a link: messages it has met
};

struct FaultEvent {
  int64_t wall_ms = 0;
  std::string what;
  uint64_t from = 0;
  uint64_t to = 0;
};

class FaultView {
 public:
  virtual ~FaultView() = default;
  // What stands for what an order leaves out: the configuration's.
  virtual int64_t DefaultAmount(std::string_view kind) const = 0;
  virtual double DefaultProbability() const = 0;
  // The fault's id, never used again. kUnavailable: it needs the file layer; kBusy: too many.
  // "pause" returns once the process runs again; "crash" does not.
  virtual Result<uint64_t> Inject(const FaultOrder& order) = 0;
  virtual std::vector<ActiveFault> List() const = 0;   // ascending by id
  virtual bool Clear(uint64_t id) = 0;                 // false: no such fault
  virtual size_t ClearAll() = 0;                       // those of FAULT.DISK as well
  virtual std::vector<FaultEvent> Events() const = 0;  // the last ones, oldest first
};

}  // namespace kiwi::commands

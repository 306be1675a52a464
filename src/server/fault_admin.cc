#include "server/fault_admin.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "base/random.h"

namespace kiwi::server {
namespace {

// Stops the whole process for so long, as an overloaded machine would. A child wakes it up: nothing
// in this process can.
Status PauseProcess(int64_t ms) {
  const pid_t self = getpid();
  const timespec pause{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000};
  const pid_t child = fork();
  if (child < 0) return {StatusCode::kIo, "cannot fork"};
  if (child == 0) {
    // Only what is safe in the child of many threads. It holds nothing open: neither the data
    // directory's lock nor a port may outlive its parent.
    close_range(0, UINT_MAX, 0);
    kill(self, SIGSTOP);
    nanosleep(&pause, nullptr);
    if (getppid() == self) kill(self, SIGCONT);
    _exit(0);
  }
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

[[noreturn]] void Crash() {
  FlushLog();
  while (true) kill(getpid(), SIGKILL);
}

}  // namespace

FaultAdmin::FaultAdmin(Clock* clock, FaultOptions options)
    : options_(std::move(options)),
      clock_(clock),
      links_(EntropySeed(), clock),
      file_layer_(options_.file_layer ? std::make_unique<storage::FileLayer>() : nullptr) {}

int64_t FaultAdmin::DefaultAmount(std::string_view kind) const {
  const auto it = options_.amounts.find(std::string(kind));
  return it == options_.amounts.end() ? 0 : it->second;
}

Result<uint64_t> FaultAdmin::Inject(const commands::FaultOrder& given) {
  commands::FaultOrder order = given;
  fault::LinkFaultKind kind;
  const bool link = fault::ParseLinkFaultKind(order.kind, &kind);
  if (!link) order.from = order.to = options_.node;
  KIWI_LOG(kWarn, "fault injected node={} kind={} from={} to={} probability={} amount={}",
           options_.node, order.kind, order.from, order.to, order.probability, order.amount);
  if (link) return InjectLink(order, kind);
  if (order.kind == "crash") Crash();
  const uint64_t id = links_.TakeId();
  links_.Record("inject " + order.kind + " id=" + std::to_string(id) +
                    " amount=" + std::to_string(order.amount),
                order.from, order.to);
  if (order.kind == "pause") {
    KIWI_RETURN_IF_ERROR(PauseProcess(order.amount));
    return id;
  }
  KIWI_RETURN_IF_ERROR(SetNodeFault(order, true));
  MutexLock lock(mu_);
  // A new one of its kind takes the place of the old one.
  std::erase_if(active_, [&](const Entry& e) { return e.fault.order.kind == order.kind; });
  active_.push_back({.fault = {.id = id, .order = std::move(order)}});
  return id;
}

Result<uint64_t> FaultAdmin::InjectLink(const commands::FaultOrder& order,
                                        fault::LinkFaultKind kind) {
  const uint64_t id = links_.Inject({.from = order.from,
                                     .to = order.to,
                                     .kind = kind,
                                     .probability = order.probability,
                                     .delay_ms = order.amount});
  if (id == 0) {
    return Status(StatusCode::kBusy, "too many faults; FAULT.CLEAR ends them");
  }
  MutexLock lock(mu_);
  active_.push_back({.fault = {.id = id, .order = order}, .link = true});
  return id;
}

Status FaultAdmin::SetNodeFault(const commands::FaultOrder& order, bool on) {
  const int64_t amount = on ? order.amount : 0;
  if (order.kind == "clock-skew") {
    clock_.SetSkewMs(amount);
    return {};
  }
  if (order.kind == "clock-drift") {
    clock_.SetDriftPercent(static_cast<int>(amount));
    return {};
  }
  if (file_layer_ == nullptr) {
    return {StatusCode::kUnavailable,
            order.kind + " needs fault.file-layer auto or yes in the configuration from the start"};
  }
  storage::FileFaults& disk = file_layer_->faults();
  if (order.kind == "fsync-error") {
    disk.FailAllSyncs(on);
  } else if (order.kind == "slow-disk") {
    disk.SlowSyncs(std::chrono::milliseconds(amount));
  } else if (order.kind == "disk-full") {
    if (on) {
      disk.LimitSpace(static_cast<uint64_t>(amount));
    } else {
      disk.UnlimitSpace();
    }
  } else {
    return {StatusCode::kInvalidArgument, "no fault " + order.kind};
  }
  return {};
}

std::vector<commands::ActiveFault> FaultAdmin::List() const {
  const std::vector<fault::LinkFaultEntry> rules = links_.List();
  std::vector<commands::ActiveFault> faults;
  MutexLock lock(mu_);
  for (const Entry& entry : active_) {
    faults.push_back(entry.fault);
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&entry](const auto& r) { return r.id == entry.fault.id; });
    if (rule != rules.end()) faults.back().hits = rule->hits;
  }
  return faults;
}

void FaultAdmin::End(const Entry& entry) {
  const commands::FaultOrder& order = entry.fault.order;
  KIWI_LOG(kWarn, "fault cleared node={} id={} kind={}", options_.node, entry.fault.id, order.kind);
  if (entry.link) {
    (void)links_.Clear(entry.fault.id);
    return;
  }
  links_.Record("clear " + order.kind + " id=" + std::to_string(entry.fault.id), order.from,
                order.to);
  const Status ended = SetNodeFault(order, false);
  KIWI_CHECK(ended.ok(), "what was begun can be ended");
}

bool FaultAdmin::Clear(uint64_t id) {
  MutexLock lock(mu_);
  const auto it = std::find_if(active_.begin(), active_.end(),
                               [id](const Entry& e) { return e.fault.id == id; });
  if (it == active_.end()) return false;
  End(*it);
  active_.erase(it);
  return true;
}

size_t FaultAdmin::ClearAll() {
  MutexLock lock(mu_);
  const size_t count = active_.size();
  for (const Entry& entry : active_) End(entry);
  active_.clear();
  if (file_layer_ != nullptr) file_layer_->faults().Clear();
  return count;
}

std::vector<commands::FaultEvent> FaultAdmin::Events() const {
  std::vector<commands::FaultEvent> events;
  for (fault::LinkFaultEvent& event : links_.Events()) {
    events.push_back({event.wall_ms, std::move(event.what), event.from, event.to});
  }
  return events;
}

}  // namespace kiwi::server

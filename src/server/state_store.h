// A directory of checkpoints with its backend, and what else of the kind lies in a data directory.
//
// A node begins with `state`. A snapshot from elsewhere is staged in `state-<16 hex digits>`, whose
// name the log records once it counts; names are never used twice.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/backend.h"
#include "storage/backend_options.h"

namespace kiwi::server {

inline constexpr char kFirstStateDir[] = "state";

std::string NewStateDirName();
// `state`, or `state-` and 16 hex digits: nothing else is opened or removed as one.
bool IsStateDirName(const std::string& name);
// Those that there are, in order.
std::vector<std::string> ListStateDirs(const std::string& data_dir);
Status RemoveStateDir(const std::string& data_dir, const std::string& name);
// Makes the names in it durable.
Status SyncDirectory(const std::string& path);

// Shared by whoever works with it: the checkpointer's owner, snapshots that are being sent. Closes
// when the last one lets go.
class StateStore {
 public:
  // `backend` with everything but its path.
  static Result<std::shared_ptr<StateStore>> Open(storage::BackendOptions backend,
                                                  const std::string& data_dir,
                                                  const std::string& name);
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  storage::Backend& backend() { return *backend_; }
  const std::string& name() const { return name_; }
  // To be removed, with what it holds, when it closes. Any thread.
  void Retire() { retired_.store(true); }

 private:
  StateStore(std::string data_dir, std::string name)
      : data_dir_(std::move(data_dir)), name_(std::move(name)) {}

  const std::string data_dir_;
  const std::string name_;
  bool on_disk_ = true;
  std::atomic<bool> retired_{false};
  std::unique_ptr<storage::Backend> backend_;
};

}  // namespace kiwi::server

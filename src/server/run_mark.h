// Whether a log may have lost its end. With raft.fsync everysec or no, what was written last is in the
// page cache alone: a crash of the machine takes it, a crash of the process does not. So a node that
// runs so says in a small file of its data directory (docs/formats.md, "Run mark") in which life of the
// machine it does, and takes that back when it ends with all on the disk.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace kiwi::server {

inline constexpr char kRunMarkFileName[] = "run-mark";

struct RunMarkState {
  bool running = false;     // writes may not be on the disk
  bool distrusted = false;  // some may be lost, and no leader has given them back yet
  std::string boot_id;      // of the machine, while running
  bool operator==(const RunMarkState&) const = default;
};

std::string EncodeRunMark(const RunMarkState& state);
Result<RunMarkState> DecodeRunMark(std::string_view bytes);

// Different after each start of the machine. kUnavailable: the system does not tell.
Result<std::string> MachineBootId();

// Not thread-safe.
class RunMark {
 public:
  // Reads what the last run left and marks this one, if it is `lax` (syncs less than always). Under
  // the directory's lock, before the first write. A file that does not decode counts as lost writes.
  static Result<RunMark> Begin(const std::string& dir, bool lax, const std::string& boot_id);

  bool running() const { return state_.running; }
  bool distrusted() const { return state_.distrusted; }
  // Acknowledged writes are lost for another reason.
  Status Distrust();
  // What was lost is here again, and on the disk.
  Status Trusted();
  // The run ends, and all of the log is on the disk.
  Status End();

 private:
  explicit RunMark(std::string path) : path_(std::move(path)) {}
  Status Store(const RunMarkState& state);

  std::string path_;
  RunMarkState state_;
};

}  // namespace kiwi::server

#include "base/status.h"

namespace kiwi {

std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "Ok";
    case StatusCode::kNotFound:
      return "NotFound";
    case StatusCode::kInvalidArgument:
      return "InvalidArgument";
    case StatusCode::kCorruption:
      return "Corruption";
    case StatusCode::kIo:
      return "Io";
    case StatusCode::kNoSpace:
      return "NoSpace";
    case StatusCode::kBusy:
      return "Busy";
    case StatusCode::kUnavailable:
      return "Unavailable";
    case StatusCode::kCompacted:
      return "Compacted";
    case StatusCode::kSnapshotOutOfDate:
      return "SnapshotOutOfDate";
    case StatusCode::kSnapshotTemporarilyUnavailable:
      return "SnapshotTemporarilyUnavailable";
    case StatusCode::kNotLeader:
      return "NotLeader";
    case StatusCode::kNoQuorum:
      return "NoQuorum";
    case StatusCode::kConfig:
      return "Config";
    case StatusCode::kSerialization:
      return "Serialization";
    case StatusCode::kNetwork:
      return "Network";
    case StatusCode::kAborted:
      return "Aborted";
  }
  return "Unknown";
}

Status::Status(StatusCode code, std::string message) {
  KIWI_CHECK(code != StatusCode::kOk, "an ok Status carries no message");
  rep_ = std::make_shared<const Rep>(Rep{code, std::move(message)});
}

std::string Status::ToString() const {
  if (ok()) return "Ok";
  return std::string(StatusCodeName(rep_->code)) + ": " + rep_->message;
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return {};
  return {rep_->code, std::string(context) + ": " + rep_->message};
}

}  // namespace kiwi

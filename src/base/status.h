// Operating errors, as values. A Status says what failed, where, and what to do; a Result<T> is a
// value or such an error. Programmer errors are KIWI_CHECK (base/check.h), never a Status.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace kiwi {

enum class StatusCode : unsigned char {
  kOk,
  kNotFound,
  kInvalidArgument,    // the caller's input is wrong; the message says what is allowed
  kCorruption,         // stored bytes fail their checksum or do not decode
  kIo,                 // the disk refused: full, failing, or gone; after it nothing is promised
  kNoSpace,            // the disk is full: an kIo that ends when space returns
  kBusy,               // a bound was reached; try again later
  kUnavailable,        // Raft: the wanted entry or snapshot is not (yet) here
  kCompacted,          // Raft: the wanted index lies before the first one kept
  kSnapshotOutOfDate,  // Raft: the snapshot is older than what the log already covers
  kSnapshotTemporarilyUnavailable,
  kNotLeader,
  kNoQuorum,
  kConfig,
  kSerialization,
  kNetwork,
  kAborted,
};

// The code's name as it appears in logs and metrics, e.g. "Corruption".
std::string_view StatusCodeName(StatusCode code);

// Cheap when ok (one pointer, null). Copyable; immutable once made.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message);

  static Status Ok() { return {}; }

  bool ok() const { return rep_ == nullptr; }
  explicit operator bool() const { return ok(); }
  StatusCode code() const { return rep_ ? rep_->code : StatusCode::kOk; }
  std::string_view message() const { return rep_ ? std::string_view(rep_->message) : ""; }
  // "Corruption: <message>", or "Ok".
  std::string ToString() const;
  // The same error with "<context>: " before its message. An ok status stays ok.
  Status WithContext(std::string_view context) const;

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    KIWI_CHECK(!status_.ok(), "a Result made of an ok Status has no value");
  }

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Status& status() const { return status_; }

  T& value() & { return Checked(); }
  T&& value() && { return std::move(Checked()); }
  const T& value() const& { return const_cast<Result*>(this)->Checked(); }
  T& operator*() & { return Checked(); }
  T&& operator*() && { return std::move(Checked()); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &Checked(); }
  const T* operator->() const { return &value(); }

 private:
  T& Checked() {
    KIWI_CHECK(value_.has_value(), "value() of a failed Result");
    return *value_;
  }

  Status status_;
  std::optional<T> value_;
};

#define KIWI_RETURN_IF_ERROR(expr)                                           \
  do {                                                                       \
    if (auto kiwi_status_ = (expr); !kiwi_status_.ok()) return kiwi_status_; \
  } while (false)

#define KIWI_CONCAT_INNER(a, b) a##b
#define KIWI_CONCAT(a, b) KIWI_CONCAT_INNER(a, b)
// KIWI_ASSIGN_OR_RETURN(auto x, MakeX()); returns the error, or goes on with x.
#define KIWI_ASSIGN_OR_RETURN(lhs, expr) \
  KIWI_ASSIGN_OR_RETURN_IMPL(KIWI_CONCAT(kiwi_result_, __LINE__), lhs, expr)
#define KIWI_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  if (!tmp.ok()) return tmp.status();              \
  lhs = std::move(tmp).value()

}  // namespace kiwi

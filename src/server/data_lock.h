// One server a data directory.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace kiwi::server {

class DataLock {
 public:
  // Makes the directory if it is missing. kBusy: another server has it.
  static Result<std::unique_ptr<DataLock>> Take(const std::string& dir);
  ~DataLock();
  DataLock(const DataLock&) = delete;
  DataLock& operator=(const DataLock&) = delete;

  static constexpr char kFileName[] = "LOCK";

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace kiwi::server

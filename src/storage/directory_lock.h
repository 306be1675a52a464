// Keeps a database's directory to one user: the engines' own locks come too late, after its files
// have been checked and a torn tail cut off. Released by destroying it, or by the process's end.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace kiwi::storage {

class DirectoryLock {
 public:
  // kBusy names the process that has it.
  static Result<std::unique_ptr<DirectoryLock>> Take(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace kiwi::storage

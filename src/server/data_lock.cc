#include "server/data_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace kiwi::server {

Result<std::unique_ptr<DataLock>> DataLock::Take(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) {
    return Status(StatusCode::kIo,
                  "cannot make the data directory " + dir + ": " + error.message());
  }
  const std::string path = dir + "/" + kFileName;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return Status(StatusCode::kIo,
                  "cannot write to the data directory: " + path + ": " + std::strerror(errno));
  }
  std::unique_ptr<DataLock> lock(new DataLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Status(StatusCode::kBusy, "the data directory " + dir + " is in use by another server");
  }
  return lock;
}

DataLock::~DataLock() { close(fd_); }  // and with it the lock

}  // namespace kiwi::server

#include "server/state_store.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/log.h"
#include "base/random.h"
#include "storage/factory.h"

namespace kiwi::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStagedPrefix = "state-";
constexpr size_t kStagedDigits = 16;

}  // namespace

std::string NewStateDirName() { return fmt::format("{}{:016x}", kStagedPrefix, EntropySeed()); }

bool IsStateDirName(const std::string& name) {
  if (name == kFirstStateDir) return true;
  return name.starts_with(kStagedPrefix) && name.size() == kStagedPrefix.size() + kStagedDigits &&
         name.find_first_not_of("0123456789abcdef", kStagedPrefix.size()) == std::string::npos;
}

std::vector<std::string> ListStateDirs(const std::string& data_dir) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(data_dir, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    std::error_code ignored;
    if (IsStateDirName(name) && it->is_directory(ignored)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status RemoveStateDir(const std::string& data_dir, const std::string& name) {
  KIWI_CHECK(IsStateDirName(name), "only directories of checkpoints are removed");
  const std::string path = data_dir + "/" + name;
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return {StatusCode::kIo, "cannot remove " + path + ": " + error.message()};
  return {};
}

Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (synced) return {};
  return {StatusCode::kIo, "cannot sync the directory " + path + ": " + std::strerror(error)};
}

Result<std::shared_ptr<StateStore>> StateStore::Open(storage::BackendOptions backend,
                                                     const std::string& data_dir,
                                                     const std::string& name) {
  std::shared_ptr<StateStore> store(new StateStore(data_dir, name));
  store->on_disk_ = backend.name != "memory";
  backend.path = data_dir + "/" + name;
  KIWI_ASSIGN_OR_RETURN(store->backend_, storage::OpenBackend(backend));
  return store;
}

StateStore::~StateStore() {
  backend_.reset();
  if (!retired_.load() || !on_disk_) return;
  if (const Status status = RemoveStateDir(data_dir_, name_); !status.ok()) {
    KIWI_LOG(kWarn, "a state that is no longer used stays until the next start error=\"{}\"",
             status.ToString());
  }
}

}  // namespace kiwi::server

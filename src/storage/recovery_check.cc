#include "storage/recovery_check.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/log.h"
#include "storage/log_scan.h"
#include "storage/wal_order.h"

namespace kiwi::storage {
namespace {

Status Damaged(const std::string& path, std::string_view what) {
  return {StatusCode::kCorruption, fmt::format("{}: {}", path, what)};
}

Status SystemError(const std::string& path) {
  return {errno == ENOSPC ? StatusCode::kNoSpace : StatusCode::kIo,
          path + ": " + std::strerror(errno)};
}

// The directory through the layer, or as it is.
class Files {
 public:
  Files(std::string directory, FileLayer* layer)
      : directory_(std::move(directory)),
        layer_(layer),
        session_(layer == nullptr ? 0 : layer->session()) {}

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  Result<std::vector<std::string>> List() const {
    if (layer_ != nullptr) return layer_->List(session_, directory_);
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& file : std::filesystem::directory_iterator(directory_, error)) {
      names.push_back(file.path().filename().string());
    }
    if (error) return Status(StatusCode::kIo, directory_ + ": " + error.message());
    return names;
  }

  Result<std::string> Read(const std::string& name) const {
    const std::string path = Path(name);
    if (layer_ != nullptr) {
      KIWI_ASSIGN_OR_RETURN(const FileLayer::Handle handle, layer_->Open(session_, path));
      KIWI_ASSIGN_OR_RETURN(const uint64_t size, layer_->Size(handle));
      std::string bytes(size, '\0');
      KIWI_ASSIGN_OR_RETURN(const size_t read, layer_->Read(handle, 0, size, bytes.data()));
      bytes.resize(read);
      return bytes;
    }
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return SystemError(path);
    std::string bytes;
    const off_t size = lseek(fd, 0, SEEK_END);
    bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
    size_t done = 0;
    Status status;
    while (done < bytes.size()) {
      const ssize_t n =
          pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) status = SystemError(path);
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
    close(fd);
    bytes.resize(done);
    if (!status.ok()) return status;
    return bytes;
  }

  Status Cut(const std::string& name, uint64_t size) const {
    const std::string path = Path(name);
    if (layer_ != nullptr) {
      KIWI_ASSIGN_OR_RETURN(const FileLayer::Handle handle, layer_->Open(session_, path));
      return layer_->Truncate(handle, size);
    }
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return SystemError(path);
    const bool done = ftruncate(fd, static_cast<off_t>(size)) == 0 && fsync(fd) == 0;
    const Status status = done ? Status() : SystemError(path);
    close(fd);
    return status;
  }

 private:
  const std::string directory_;
  FileLayer* const layer_;
  const uint64_t session_;
};

bool IsTable(std::string_view name) { return name.ends_with(".sst") || name.ends_with(".ldb"); }

Status CheckWals(const Files& files, std::vector<std::string> names) {
  // Their names are numbers with leading zeros, which a long one outgrows.
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  bool is_last = true;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    KIWI_ASSIGN_OR_RETURN(const std::string bytes, files.Read(*name));
    if (bytes.empty()) continue;  // made, and nothing written yet: the one before it is the last
    const LogScan scan = ScanLog(bytes);
    if (scan.verdict == LogScan::Verdict::kDamaged) {
      return Damaged(files.Path(*name),
                     fmt::format("damaged at offset {}: {}", scan.offset, scan.what));
    }
    if (scan.verdict == LogScan::Verdict::kTornTail) {
      if (!is_last) {
        return Damaged(files.Path(*name), fmt::format("ends torn at offset {} ({}), though newer "
                                                      "logs follow",
                                                      scan.offset, scan.what));
      }
      KIWI_LOG(kWarn, "wal torn tail cut off file={} offset={} bytes={} why=\"{}\"",
               files.Path(*name), scan.valid_end, bytes.size() - scan.valid_end, scan.what);
      KIWI_RETURN_IF_ERROR(files.Cut(*name, scan.valid_end));
    }
    is_last = false;
  }
  return {};
}

Status CheckManifest(const Files& files, const std::vector<std::string>& names,
                     std::vector<std::string>* records) {
  KIWI_ASSIGN_OR_RETURN(std::string current, files.Read("CURRENT"));
  if (!current.starts_with("MANIFEST-") || !current.ends_with('\n')) {
    return Damaged(files.Path("CURRENT"), "damaged: does not name a MANIFEST");
  }
  current.pop_back();
  if (std::find(names.begin(), names.end(), current) == names.end()) {
    return Damaged(
        files.Path("CURRENT"),
        fmt::format("names {}, which does not exist: one of them is damaged or lost", current));
  }
  KIWI_ASSIGN_OR_RETURN(const std::string bytes, files.Read(current));
  const LogScan scan = ScanLog(bytes, records);
  if (scan.verdict == LogScan::Verdict::kDamaged) {
    return Damaged(files.Path(current),
                   fmt::format("damaged at offset {}: {}", scan.offset, scan.what));
  }
  if (records->empty()) return Damaged(files.Path(current), "holds nothing");
  return {};
}

}  // namespace

Result<RecoveryCheck> CheckBeforeRecovery(const std::string& directory, FileLayer* layer) {
  const Files files(directory, layer);
  RecoveryCheck check;
  KIWI_ASSIGN_OR_RETURN(check.files, files.List());
  std::vector<std::string> wals;
  bool has_tables = false;
  bool has_current = false;
  for (const std::string& name : check.files) {
    if (IsWalPath(name)) wals.push_back(name);
    has_tables = has_tables || IsTable(name);
    has_current = has_current || name == "CURRENT";
  }
  if (has_current) {
    KIWI_RETURN_IF_ERROR(CheckManifest(files, check.files, &check.manifest_records));
  } else if (has_tables || !wals.empty()) {
    // An engine would take this for a new database, and delete what is there.
    return Damaged(files.Path("CURRENT"), "is missing, though there are data files");
  }
  KIWI_RETURN_IF_ERROR(CheckWals(files, std::move(wals)));
  return check;
}

}  // namespace kiwi::storage

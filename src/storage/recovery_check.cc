#include "storage/recovery_check.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string_view>

#include "base/coding.h"
#include "base/log.h"
#include "storage/disk_files.h"
#include "storage/log_scan.h"
#include "storage/wal_order.h"

namespace kiwi::storage {
namespace {

Status Damaged(const std::string& path, std::string_view what) {
  return {StatusCode::kCorruption, fmt::format("{}: {}", path, what)};
}

bool IsTable(std::string_view name) { return name.ends_with(".sst") || name.ends_with(".ldb"); }

// Follows the sequence numbers that the batches in the logs begin with.
class SequenceCheck {
 public:
  // Writes up to this one need not be in the logs.
  explicit SequenceCheck(uint64_t covered) : covered_(covered) {}

  static constexpr size_t kBatchHeader = 12;  // sequence number u64, count u32
  void Take(std::string_view batch) {
    uint64_t sequence = 0;
    uint32_t count = 0;
    if (!GetFixed(&batch, &sequence) || !GetFixed(&batch, &count)) return;
    if (sequence > std::max(covered_ + 1, next_) && missing_.empty()) {
      missing_ =
          fmt::format("writes {} to {} are missing", std::max(covered_ + 1, next_), sequence - 1);
    }
    next_ = std::max(next_, sequence + count);
  }
  const std::string& missing() const { return missing_; }

 private:
  const uint64_t covered_;
  uint64_t next_ = 0;
  std::string missing_;
};

Status CheckWal(const DiskFiles& files, const std::string& name, bool is_last,
                SequenceCheck* sequences) {
  KIWI_ASSIGN_OR_RETURN(const std::string bytes, files.Read(name));
  const LogScan scan = ScanLog(bytes, SequenceCheck::kBatchHeader,
                               [&](std::string_view batch) { sequences->Take(batch); });
  if (scan.verdict == LogScan::Verdict::kDamaged) {
    return Damaged(files.Path(name),
                   fmt::format("damaged at offset {}: {}", scan.offset, scan.what));
  }
  if (!sequences->missing().empty()) {
    return Damaged(files.Path(name), fmt::format("{} before it: a log file is lost, or the end of "
                                                 "the MANIFEST is",
                                                 sequences->missing()));
  }
  if (scan.verdict == LogScan::Verdict::kWhole) return {};
  if (!is_last) {
    return Damaged(files.Path(name), fmt::format("ends torn at offset {} ({}), though newer logs "
                                                 "follow",
                                                 scan.offset, scan.what));
  }
  KIWI_LOG(kWarn, "wal torn tail cut off file={} offset={} bytes={} why=\"{}\"", files.Path(name),
           scan.valid_end, bytes.size() - scan.valid_end, scan.what);
  return files.Cut(name, scan.valid_end);
}

Status CheckWals(const DiskFiles& files, std::vector<std::string> names, uint64_t covered) {
  // Their names are numbers with leading zeros, which a long one outgrows.
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  // A log that was made, and into which nothing was written yet, does not count as the last.
  while (!names.empty()) {
    KIWI_ASSIGN_OR_RETURN(const uint64_t size, files.Size(names.back()));
    if (size > 0) break;
    names.pop_back();
  }
  SequenceCheck sequences(covered);
  for (const std::string& name : names) {
    KIWI_RETURN_IF_ERROR(CheckWal(files, name, name == names.back(), &sequences));
  }
  return {};
}

Status CheckManifest(const DiskFiles& files, const std::vector<std::string>& names,
                     ManifestSummary* summary) {
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
  const LogScan scan =
      ScanLog(bytes, std::string::npos, [&](std::string_view record) { summary->Take(record); });
  if (scan.verdict == LogScan::Verdict::kDamaged) {
    return Damaged(files.Path(current),
                   fmt::format("damaged at offset {}: {}", scan.offset, scan.what));
  }
  if (scan.valid_end == 0) return Damaged(files.Path(current), "holds nothing");
  return {};
}

}  // namespace

Result<RecoveryCheck> CheckBeforeRecovery(const std::string& directory, FileLayer* layer) {
  const DiskFiles files(directory, layer);
  RecoveryCheck check;
  KIWI_ASSIGN_OR_RETURN(check.files, files.List());
  std::vector<std::string> wals;
  bool has_tables = false;
  for (const std::string& name : check.files) {
    if (IsWalPath(name)) wals.push_back(name);
    has_tables = has_tables || IsTable(name);
    if (name == "CURRENT") check.is_new = false;
  }
  if (!check.is_new) {
    KIWI_RETURN_IF_ERROR(CheckManifest(files, check.files, &check.manifest));
  } else if (has_tables || !wals.empty()) {
    // An engine would take this for a new database, and delete what is there.
    return Damaged(files.Path("CURRENT"), "is missing, though there are data files");
  }
  KIWI_RETURN_IF_ERROR(CheckWals(files, std::move(wals), check.manifest.last_sequence));
  return check;
}

}  // namespace kiwi::storage

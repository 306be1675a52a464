#include "storage/recovery_check.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string_view>

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

Status CheckWals(const DiskFiles& files, std::vector<std::string> names) {
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

Status CheckManifest(const DiskFiles& files, const std::vector<std::string>& names,
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
  const DiskFiles files(directory, layer);
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

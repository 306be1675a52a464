#include "server/run_mark.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/coding.h"
#include "base/crc32c.h"
#include "config/rewrite.h"

namespace kiwi::server {
namespace {

constexpr std::string_view kMagic = "KIWI-RUN";
constexpr uint8_t kFormat = 1;
constexpr uint8_t kRunning = 1;
constexpr uint8_t kDistrusted = 2;

Status Damaged() { return {StatusCode::kCorruption, "damaged run mark"}; }

}  // namespace

std::string EncodeRunMark(const RunMarkState& state) {
  std::string out(kMagic);
  out.push_back(static_cast<char>(kFormat));
  out.push_back(
      static_cast<char>((state.running ? kRunning : 0) | (state.distrusted ? kDistrusted : 0)));
  PutLengthPrefixed(&out, state.boot_id);
  PutFixed<uint32_t>(&out, ExtendCrc32c(0, out));
  return out;
}

Result<RunMarkState> DecodeRunMark(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + 2 + sizeof(uint32_t) || !bytes.starts_with(kMagic)) {
    return Damaged();
  }
  std::string_view body = bytes.substr(0, bytes.size() - sizeof(uint32_t));
  std::string_view tail = bytes.substr(body.size());
  uint32_t crc = 0;
  if (!GetFixed(&tail, &crc) || crc != ExtendCrc32c(0, body)) return Damaged();
  body.remove_prefix(kMagic.size());
  uint8_t format = 0;
  uint8_t flags = 0;
  std::string_view boot_id;
  if (!GetFixed(&body, &format)) return Damaged();
  if (format != kFormat) {
    return Status(StatusCode::kSerialization, "run mark of format " + std::to_string(format) +
                                                  "; this build reads " + std::to_string(kFormat));
  }
  if (!GetFixed(&body, &flags) || (flags & ~(kRunning | kDistrusted)) != 0 ||
      !GetLengthPrefixed(&body, &boot_id) || !body.empty()) {
    return Damaged();
  }
  return RunMarkState{.running = (flags & kRunning) != 0,
                      .distrusted = (flags & kDistrusted) != 0,
                      .boot_id = std::string(boot_id)};
}

Result<std::string> MachineBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (std::getline(file, id) && !id.empty()) return id;
  return Status(StatusCode::kUnavailable, "the system does not tell the id of its boot");
}

Result<RunMark> RunMark::Begin(const std::string& dir, bool lax, const std::string& boot_id) {
  RunMark mark(dir + "/" + kRunMarkFileName);
  std::error_code error;
  const bool found = std::filesystem::exists(mark.path_, error);
  if (!found && !error && !lax) return mark;
  RunMarkState last;
  if (found) {
    std::ifstream file(mark.path_, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    if (!file) return Status(StatusCode::kIo, "cannot read " + mark.path_);
    Result<RunMarkState> read = DecodeRunMark(bytes);
    if (read.status().code() == StatusCode::kSerialization) return read.status();
    last = read.ok() ? *std::move(read) : RunMarkState{.running = true};
  }
  const bool lost = last.running && last.boot_id != boot_id;
  // Opening a log puts what it finds on the disk: from here on it is this run that matters.
  KIWI_RETURN_IF_ERROR(mark.Store(
      {.running = lax, .distrusted = last.distrusted || lost, .boot_id = lax ? boot_id : ""}));
  return mark;
}

Status RunMark::Distrust() {
  RunMarkState state = state_;
  state.distrusted = true;
  return Store(state);
}

Status RunMark::Trusted() {
  RunMarkState state = state_;
  state.distrusted = false;
  return Store(state);
}

Status RunMark::End() { return Store({.running = false, .distrusted = state_.distrusted}); }

Status RunMark::Store(const RunMarkState& state) {
  KIWI_RETURN_IF_ERROR(config::ReplaceFile(path_, EncodeRunMark(state)));
  state_ = state;
  return {};
}

}  // namespace kiwi::server

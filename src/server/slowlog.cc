#include "server/slowlog.h"

#include <algorithm>
#include <utility>

namespace kiwi::server {
namespace {

std::string CutArg(std::string_view arg) {
  if (arg.size() <= Slowlog::kArgBytesMax) return std::string(arg);
  return std::string(arg.substr(0, Slowlog::kArgBytesMax)) + "... (" +
         std::to_string(arg.size() - Slowlog::kArgBytesMax) + " more bytes)";
}

}  // namespace

void Slowlog::SetMaxLength(size_t entries) {
  MutexLock lock(mu_);
  max_length_ = entries;
  if (entries_.size() > entries) entries_.resize(entries);
}

void Slowlog::Record(std::span<const std::string_view> args, int64_t duration_ns, int64_t unix_s,
                     std::string_view client_address, std::string_view client_name) {
  commands::SlowlogEntry entry;
  entry.unix_s = unix_s;
  entry.duration_us = duration_ns / 1000;
  entry.client_address = client_address;
  entry.client_name = client_name;
  const bool cut = args.size() > kArgsMax;
  const size_t kept = cut ? kArgsMax - 1 : args.size();
  entry.args.reserve(kept + 1);
  for (const std::string_view arg : args.first(kept)) entry.args.push_back(CutArg(arg));
  if (cut) {
    entry.args.push_back("... (" + std::to_string(args.size() - kept) + " more arguments)");
  }

  MutexLock lock(mu_);
  if (max_length_ == 0) return;
  if (entries_.size() >= max_length_) entries_.resize(max_length_ - 1);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
}

std::vector<commands::SlowlogEntry> Slowlog::Newest(size_t count_max) const {
  MutexLock lock(mu_);
  const size_t count = std::min(count_max, entries_.size());
  return {entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count)};
}

size_t Slowlog::length() const {
  MutexLock lock(mu_);
  return entries_.size();
}

void Slowlog::Reset() {
  MutexLock lock(mu_);
  entries_.clear();
}

}  // namespace kiwi::server

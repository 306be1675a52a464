#include "raft/node/log_fetcher.h"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <utility>

namespace kiwi::raft {
namespace {

// Less than that is read by whoever asks.
constexpr uint64_t kLongRead = 2 << 20;
// Each follower waits for one read, and so does the applier. Who finds no room asks again.
constexpr size_t kWantedMax = 16;

// kBusy means that the fetcher tells when to ask again: nobody would, were it the backend's.
Result<std::vector<Entry>> BusyIsIo(Result<std::vector<Entry>> entries) {
  if (entries.status().code() != StatusCode::kBusy) return entries;
  return Status(StatusCode::kIo, std::string(entries.status().message()));
}

}  // namespace

LogFetcher::~LogFetcher() { Stop(); }

void LogFetcher::Start(std::function<void()> fetched) {
  fetched_ = std::move(fetched);
  running_ = true;
  thread_ = std::thread([this] { Thread(); });
}

void LogFetcher::Stop() {
  running_ = false;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wanted_changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

Result<std::vector<Entry>> LogFetcher::Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const {
  const Read read{lo, hi, max_bytes};
  if (!running_.load()) return ReadLog(read);
  if (log_->BytesOnDisk(lo, hi, max_bytes) < kLongRead) {
    if (auto entries = log_->TryEntries(lo, hi, max_bytes)) return BusyIsIo(*std::move(entries));
  }
  MutexLock lock(mu_);
  if (auto fetched = TakeFetched(read)) return *std::move(fetched);
  const auto same = [lo](const Read& other) { return other.lo == lo; };
  if (std::none_of(wanted_.begin(), wanted_.end(), same) && wanted_.size() < kWantedMax) {
    wanted_.push_back(read);
    wanted_changed_.NotifyOne();
  }
  return Status(StatusCode::kBusy, "the entries are being read");
}

Result<std::vector<Entry>> LogFetcher::ReadLog(const Read& read) const {
  return BusyIsIo(log_->Entries(read.lo, read.hi, read.max_bytes));
}

// What was read still stands only as far as the log has these entries: index and term name one.
std::optional<Result<std::vector<Entry>>> LogFetcher::TakeFetched(const Read& read) const {
  if (fetched_from_ != read.lo) return std::nullopt;
  if (fetch_status_.code() == StatusCode::kUnavailable) return std::nullopt;  // cut off since
  if (!fetch_status_.ok()) return Result<std::vector<Entry>>(fetch_status_);
  std::vector<Entry> entries;
  uint64_t bytes = 0;
  for (const Entry& entry : fetched_entries_) {
    bytes += entry.bytes().size();
    if (entry.index >= read.hi || (!entries.empty() && bytes > read.max_bytes)) break;
    if (const Result<Term> term = log_->TermAt(entry.index); !term.ok() || *term != entry.term) {
      break;
    }
    entries.push_back(entry);
  }
  if (entries.empty()) return std::nullopt;
  return Result<std::vector<Entry>>(std::move(entries));
}

void LogFetcher::Thread() {
  pthread_setname_np(pthread_self(), "kiwi-log-read");
  for (;;) {
    Read read;
    {
      MutexLock lock(mu_);
      while (wanted_.empty() && !stopping_) wanted_changed_.Wait(mu_);
      if (stopping_) return;
      read = wanted_.front();
    }
    Result<std::vector<Entry>> entries = ReadLog(read);
    {
      MutexLock lock(mu_);
      wanted_.pop_front();
      fetched_from_ = read.lo;
      fetch_status_ = entries.status();
      if (entries.ok()) fetched_entries_ = *std::move(entries);
    }
    fetched_();
    std::vector<Entry> done;  // freed without the lock
    MutexLock lock(mu_);
    fetched_from_ = 0;
    done.swap(fetched_entries_);
  }
}

}  // namespace kiwi::raft

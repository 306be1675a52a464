#include "server/session.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/ticks.h"
#include "server/executor.h"
#include "server/server.h"

namespace kiwi::server {

using commands::Command;
using commands::CommandTable;
using runtime::Priority;

namespace {

constexpr size_t kMaxBatchRequests = 1024;
constexpr size_t kMaxBatchBytes = 256 << 10;  // then the rest waits for the next batch
// While a batch is under way, reading goes on up to this much.
constexpr size_t kMaxInputAhead = 64 << 10;
// One of so many batches is timed, unless it is slow.
constexpr uint8_t kTimedBatches = 8;
// Replies of this size are handed over, not copied.
constexpr size_t kLargeReplies = 64 << 10;

Priority ToPriority(commands::ClientPriority p) {
  switch (p) {
    case commands::ClientPriority::kHigh:
      return Priority::kHigh;
    case commands::ClientPriority::kNormal:
      return Priority::kNormal;
    case commands::ClientPriority::kLow:
      return Priority::kLow;
  }
  return Priority::kNormal;
}

}  // namespace

Session::Session(Server* server, net::Connection* connection, std::shared_ptr<ClientRecord> record)
    : server_(server),
      connection_(connection),
      home_(&LoopState::Of(connection->loop())),
      record_(std::move(record)),
      is_local_(connection->peer_is_loopback() || connection->is_unix()),
      last_active_ms_(record_->endpoint.created_ms),
      batch_(this, &server->executor()) {
  authenticated_ = !server->PasswordRequired();
  batches_ = static_cast<uint8_t>(record_->id);  // else the first one of each connection is picked
  connection_->SetHandler(this);
  home_->Add(this);
}

Session::~Session() {
  if (holds_loop_) home_->loop().Release();
}

void Session::OnInput(net::Connection& connection) {
  const int64_t now_ns = SystemClock().MonotonicNs();
  last_active_ms_ = now_ns / 1'000'000;
  if (batch_under_way_) {
    if (connection.input().data().size() >= kMaxInputAhead) connection.PauseReading();
    return;
  }
  Pump(now_ns);
}

void Session::OnDrained(net::Connection&) {
  over_soft_since_ms_ = 0;
  if (batch_under_way_ || moving_) return;
  Pump(SystemClock().MonotonicNs());
  home_->loop().Wake();  // the iteration has drained the channel already
}

void Session::OnEndOfInput(net::Connection&) {
  end_of_input_ = true;
  if (!batch_under_way_) Pump(SystemClock().MonotonicNs());
}

void Session::OnClosed(net::Connection&, const Status& reason) {
  server_->OnSessionClosed(*this, reason);
  if (!moving_) home_->Remove(*this);
  const int64_t now_ns = SystemClock().MonotonicNs();
  if (waits_) StopWaiting(now_ns);
  EndUnread(now_ns);
  connection_ = nullptr;
  closed_ = true;
  if (batch_under_way_) {
    home_->loop().Hold();
    holds_loop_ = true;
  }
  DeleteIfDone();
}

void Session::DeleteIfDone() {
  if (closed_ && !batch_under_way_) server_->DeleteSession(this);
}

// --- from loop to loop ---

void Session::OnMoveWanted(net::Connection& connection, net::Loop& target) {
  if (batch_under_way_ && !waits_) {
    move_wanted_ = true;
    return;
  }
  LeaveHome();
  connection.MoveTo(target, [this](net::Connection&) { Arrive(); });
}

// No batch is under way, so that nobody else looks for the session here. CLIENT KILL marks the
// record before it asks every loop, and Arrive looks at the mark.
void Session::LeaveHome() {
  if (waits_) StopWaiting(SystemClock().MonotonicNs());
  home_->Remove(*this);
  move_wanted_ = false;
  moving_ = true;
}

void Session::Arrive() {
  moving_ = false;
  home_ = &LoopState::Of(connection_->loop());
  home_->Add(this);
  if (record_->Has(ClientRecord::kCloseSoon)) {
    CloseSoon(kKilled);
    return;
  }
  Pump(SystemClock().MonotonicNs());
}

// Parses and submits until a batch is under way or there is nothing to do. No batch is under way.
void Session::Pump(int64_t now_ns) {
  if (closed_ || connection_ == nullptr || moving_) return;
  if (close_after_reply_ || server_->draining()) return;
  if (connection_->unsent_bytes() > server_->reply_backlog()) {
    connection_->PauseReading();
    if (unread_since_ns_ == 0) server_->backpressure().unread.Begin(unread_since_ns_ = now_ns);
    return;
  }
  EndUnread(now_ns);
  if (batch_.finished()) {
    batch_.Reset();
    PickForTiming();
    if (parse_failed_ || !ParseBatch()) {
      if (end_of_input_) {
        connection_->CloseAfterFlush();
      } else if (!parse_failed_) {
        connection_->ResumeReading();
      }
      return;
    }
    ++batches_;
    server_->stages().Local().AddRequests(batch_.batch_priority, batch_.items.size());
  }
  Submit(now_ns, /*again=*/false);
  if (connection_->input().data().size() < kMaxInputAhead) connection_->ResumeReading();
}

void Session::PickForTiming() {
  batch_.picked = batches_ % kTimedBatches == 0;
  batch_.times.sampled = batch_.picked && server_->stages().enabled();
  if (batch_.times.sampled) batch_.times.begun = Ticks::Now();
}

// The pass that is done, if it was sampled; the next one begins anew.
void Session::RecordStages() {
  constexpr size_t kCommandsMax = 16;  // different ones; others of a batch are left out
  std::array<StageBlock::CommandCount, kCommandsMax> counts;
  size_t used = 0;
  bool reads = false;
  for (size_t i = batch_.pass_begin; i < batch_.next; ++i) {
    const Command* const command = batch_.items[i].command;
    if (command == nullptr) continue;
    reads = reads || command->Is(commands::kReadOnly);
    size_t at = 0;
    while (at < used && counts[at].command_id != command->id) ++at;
    if (at == kCommandsMax) continue;
    if (at == used) counts[used++] = {.command_id = command->id, .count = 0};
    ++counts[at].count;
  }
  const StageDurations stages = MeasureStages(batch_.times, Ticks::Now());
  StageBlock& block = server_->stages().Local();
  block.Record(batch_.batch_priority, stages, std::span(counts).first(used));
  const bool granted = batch_.read_grant != ReadGrant::kNone;
  if (reads && granted && batch_.times.log.proposed == 0) block.RecordReads(KindOfReads(), stages);
  batch_.times.NextPass();
}

ReadKind Session::KindOfReads() const {
  switch (consistency().level) {
    case commands::ReadLevel::kLinearizable:
      break;
    case commands::ReadLevel::kBounded:
      return ReadKind::kBounded;
    case commands::ReadLevel::kAny:
      return ReadKind::kAny;
  }
  return batch_.read_grant == ReadGrant::kLease ? ReadKind::kLease : ReadKind::kReadIndex;
}

// Fills the batch from the input. False: no complete request is there.
bool Session::ParseBatch() {
  const std::string_view input = connection_->input().data();
  if (input.empty()) return false;
  protocol::ParserLimits limits = server_->parser_limits();
  limits.authenticated = authenticated_;
  // Before AUTH each request is executed on its own, since it may lift the limits for the next.
  const size_t max_requests = authenticated_ ? kMaxBatchRequests : 1;
  size_t used = 0;
  while (batch_.items.size() < max_requests && used < kMaxBatchBytes) {
    const size_t first = batch_.args.size();
    size_t consumed = 0;
    const auto status = parser_.Next(input.substr(used), limits, &batch_.args, &consumed);
    if (status == protocol::ParseStatus::kNeedMore) {
      connection_->SetReadHint(parser_.bytes_wanted());
      used += consumed;
      break;
    }
    if (status == protocol::ParseStatus::kError) {
      parse_failed_ = true;
      break;
    }
    used += consumed;
    if (batch_.args.size() == first) continue;  // an empty request
    Item item;
    item.first_arg = static_cast<uint32_t>(first);
    item.arg_count = static_cast<uint32_t>(batch_.args.size() - first);
    const commands::Args args(batch_.args.data() + first, item.arg_count);
    item.command = CommandTable::Get().Find(args);
    if (item.command != nullptr && item.command->Is(commands::kInternal)) item.command = nullptr;
    const Priority priority = priority_chosen_ || item.command == nullptr
                                  ? ToPriority(priority_)
                                  : server_->DefaultPriority(*item.command);
    if (batch_.items.empty()) {
      batch_.batch_priority = priority;
    } else if (priority != batch_.batch_priority) {  // cut where the priority changes
      batch_.args.resize(first);
      used -= consumed;
      break;
    }
    bool changes_parsing = false;
    if (item.command != nullptr) {
      const Command& command = *item.command;
      const bool exec = command.full_name == "exec";
      const bool fast = Executor::IsFast(command, item.arg_count) || exec;
      multi_slow_ = multi_slow_ || !fast;
      if (!fast || (exec && multi_slow_)) batch_.has_slow = true;
      if (exec) multi_slow_ = false;
      batch_.has_write = batch_.has_write || exec || command.Is(commands::kWrite);
      if (Executor::OnKeyspace(command)) {
        batch_.has_keys = true;
      } else if (!fast) {
        batch_.has_own_pace = true;
      }
      changes_parsing = command.full_name == "client|priority";
    }
    batch_.items.push_back(std::move(item));
    if (changes_parsing) break;
  }
  if (used > 0 || !batch_.items.empty()) batch_.TakeInput(*connection_, used);
  if (parse_failed_) AddProtocolError();
  if (connection_->input().data().size() > server_->query_buffer_limit()) {
    connection_->Close({StatusCode::kInvalidArgument, "client-query-buffer-limit exceeded"});
    return false;
  }
  return !batch_.items.empty();
}

void Session::AddProtocolError() {
  protocol_error_ = parser_.error();
  Item item;
  item.first_arg = static_cast<uint32_t>(batch_.args.size());
  item.arg_count = 1;
  item.protocol_error = true;
  batch_.args.emplace_back(protocol_error_);
  batch_.items.push_back(std::move(item));
  connection_->PauseReading();
}

void Session::BeginPass(int64_t now_ns) {
  batch_.queued_ns = now_ns;
  batch_.held_up = false;
  batch_.guard = {.judged =
                      batch_.has_keys && !batch_.has_own_pace && server_->breaker().enabled()};
  if (!batch_.guard.judged) return;
  batch_.watched.since_ns = now_ns;
  batch_.watched.level = batch_.batch_priority;
  home_->watch().Begin(batch_.watched);
}

void Session::Submit(int64_t now_ns, bool again) {
  Publish();
  batch_under_way_ = true;
  batch_.timed = batch_.has_slow || batch_.picked;
  if (batch_.times.sampled && !again) batch_.times.submitted = Ticks::Now();
  if (!again || held_since_ns_ == 0) BeginPass(now_ns);  // a pause of the clients does not count
  const SubmitResult result = server_->Submit(batch_);
  if (result != SubmitResult::kFull) EndHolding(now_ns);
  if (result == SubmitResult::kTaken) return;
  waits_ = true;
  if (result == SubmitResult::kFull && held_since_ns_ == 0) {
    server_->backpressure().full.Begin(held_since_ns_ = now_ns);
    batch_.held_up = true;
  }
  if (result == SubmitResult::kPaused) {
    record_->SetFlag(ClientRecord::kBlocked, true);
    home_->watch().End(batch_.watched, BatchEnd::kProvedNothing, now_ns);
  }
  wait_ticket_ = home_->Wait({.session = this,
                              .requests = batch_.items.size() - batch_.next,
                              .refused = result == SubmitResult::kFull});
  connection_->PauseReading();
}

// For good: the session closes or moves.
void Session::StopWaiting(int64_t now_ns) {
  LeaveQueue();
  EndHolding(now_ns);
  home_->watch().End(batch_.watched, BatchEnd::kProvedNothing, now_ns);
}

void Session::LeaveQueue() {
  home_->StopWaiting(wait_ticket_);
  record_->SetFlag(ClientRecord::kBlocked, false);
  waits_ = batch_under_way_ = false;
}

void Session::EndHolding(int64_t now_ns) {
  if (held_since_ns_ == 0) return;
  server_->backpressure().full.End(std::exchange(held_since_ns_, 0), now_ns);
}

void Session::EndUnread(int64_t now_ns) {
  if (unread_since_ns_ == 0) [[likely]]
    return;
  server_->backpressure().unread.End(std::exchange(unread_since_ns_, 0), now_ns);
}

void Session::Resubmit() {
  LeaveQueue();
  Submit(SystemClock().MonotonicNs(), /*again=*/true);
}

void Session::OnPassDone() {
  const int64_t now_ns = SystemClock().MonotonicNs();
  server_->OnBatchBack();
  batch_under_way_ = false;
  if (batch_.timed && !batch_.guard.refused)
    home_->CountResponse(Ticks::ToNs(batch_.times.dequeued, Ticks::Now()));
  if (!batch_.has_own_pace) home_->CountLatency(now_ns - batch_.queued_ns, batch_.held_up);
  home_->watch().End(batch_.watched,
                     batch_.guard.refused ? BatchEnd::kProvedNothing : batch_.guard.end, now_ns);
  if (closed_ || connection_ == nullptr) {
    DeleteIfDone();
    return;
  }
  Publish();
  if (!batch_.replies.empty()) {
    server_->CountOutput(batch_.replies.size());
    if (batch_.replies.size() >= kLargeReplies) {
      connection_->Write(std::move(batch_.replies));
      batch_.replies.clear();
    } else {
      connection_->Write(std::string_view(batch_.replies));
      batch_.replies.clear();
    }
    if (OverOutputLimit(now_ns / 1'000'000)) return;
  }
  if (batch_.times.sampled) RecordStages();
  if (close_after_reply_) {
    connection_->CloseAfterFlush();
    return;
  }
  if (move_wanted_) {
    move_wanted_ = false;
    if (server_->MoveAway(*connection_, [this](net::Connection&) { Arrive(); })) {
      LeaveHome();
      return;
    }
  }
  Pump(now_ns);
}

bool Session::OverOutputLimit(int64_t now_ms) {
  const OutputLimit limit = server_->output_limit();
  const size_t unsent = connection_->unsent_bytes();
  if (limit.hard_bytes != 0 && unsent > limit.hard_bytes) {
    connection_->Close({StatusCode::kBusy, "client-output-buffer-limit exceeded"});
    return true;
  }
  if (limit.soft_bytes == 0 || unsent <= limit.soft_bytes) {
    over_soft_since_ms_ = 0;
  } else if (over_soft_since_ms_ == 0) {
    over_soft_since_ms_ = now_ms;
  } else if (now_ms - over_soft_since_ms_ > limit.soft_seconds * 1000) {
    connection_->Close({StatusCode::kBusy, "client-output-buffer-limit exceeded"});
    return true;
  }
  return false;
}

void Session::Tick(int64_t now_ms) {
  if (connection_ == nullptr || OverOutputLimit(now_ms)) return;
  const int64_t timeout_ms = server_->timeout_ms();
  if (timeout_ms > 0 && !batch_under_way_ && now_ms - last_active_ms_ > timeout_ms) {
    connection_->Close({StatusCode::kAborted, "idle for longer than timeout"});
  }
}

void Session::CloseSoon(std::string_view reason) {
  if (connection_ != nullptr) connection_->Close({StatusCode::kAborted, std::string(reason)});
}

Session::ReplyGate Session::TakeReplyGate() {
  if (reply_off_) return ReplyGate::kDrop;
  if (skip_replies_ == 0) return ReplyGate::kSend;
  --skip_replies_;
  return ReplyGate::kDrop;
}

void Session::SetReplyMode(commands::ReplyMode mode) {
  switch (mode) {
    case commands::ReplyMode::kOn:
      reply_off_ = false;
      skip_replies_ = 0;
      return;
    case commands::ReplyMode::kOff:
      reply_off_ = true;
      return;
    case commands::ReplyMode::kSkipNext:
      if (!reply_off_) skip_replies_ = 2;
      return;
  }
}

commands::ReadConsistency Session::consistency() const {
  return consistency_.value_or(server_->default_consistency());
}

bool Session::MayUseProtected() const { return server_->DebugAllowed(is_local_); }

bool Session::RunsInsideMulti(const Command& command) const {
  return command.full_name == "quit" || command.full_name == "reset";
}

void Session::EndTransaction() {
  in_multi_ = false;
  transaction_refused_ = false;
  transaction_.queue.Clear();
  Unwatch();
}

Transaction Session::TakeTransaction() {
  Transaction taken = std::move(transaction_);
  transaction_ = {};
  EndTransaction();
  return taken;
}

void Session::RestoreTransaction(Transaction transaction) {
  transaction_ = std::move(transaction);
  in_multi_ = true;
}

void Session::BeginWatch(uint64_t applied_index) {
  // A later WATCH must not forget changes that an earlier one would have seen.
  if (transaction_.watches.empty()) transaction_.watch_index = applied_index;
}

void Session::AddWatch(std::string_view key, bool existed) {
  for (const Watch& watch : transaction_.watches) {
    if (watch.db == db_ && watch.key == key) return;
  }
  transaction_.watches.push_back({.db = db_, .existed = existed, .key = std::string(key)});
}

void Session::Unwatch() {
  transaction_.watches.clear();
  transaction_.watch_index = 0;
}

void Session::Reset() {
  EndTransaction();
  SetName({});
  reply_off_ = false;
  skip_replies_ = 0;
  SetNoEvict(false);
  db_ = 0;
  read_only_ = false;
  consistency_.reset();
  resp_version_ = 2;
  priority_ = commands::ClientPriority::kNormal;
  priority_chosen_ = false;
  authenticated_ = !server_->PasswordRequired();
}

void Session::SetName(std::string_view name) {
  name_ = name;
  record_->SetName(name);
}

commands::ClientInfo Session::Describe() const {
  return record_->Describe(SystemClock().MonotonicNs() / 1'000'000);
}

// What CLIENT LIST shows of this session, as of now. On the loop, with no batch under way.
void Session::Publish() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const net::InputBuffer& input = connection_->input();
  record_->active_ms.store(last_active_ms_, kRelaxed);
  record_->db.store(db_, kRelaxed);
  record_->resp_version.store(resp_version_, kRelaxed);
  record_->priority.store(static_cast<int>(priority_), kRelaxed);
  record_->queued_commands.store(in_multi_ ? static_cast<int>(transaction_.queue.size()) : -1,
                                 kRelaxed);
  record_->queued_bytes.store(transaction_.queue.bytes(), kRelaxed);
  record_->watched_keys.store(transaction_.watches.size(), kRelaxed);
  record_->query_bytes.store(input.data().size(), kRelaxed);
  record_->query_free_bytes.store(input.capacity() - input.data().size(), kRelaxed);
  record_->argument_bytes.store(batch_.bytes_held(), kRelaxed);
  record_->reply_buffer_bytes.store(batch_.replies.capacity(), kRelaxed);
  record_->unsent_bytes.store(connection_->unsent_bytes(), kRelaxed);
}

}  // namespace kiwi::server

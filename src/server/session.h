// A client's connection: parses its requests into batches, keeps its protocol state, and sends its
// replies. The loop's thread parses and writes; the thread that runs the batch changes the state;
// never both at once, since a batch under way stops parsing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/session_view.h"
#include "net/connection.h"
#include "protocol/request_parser.h"
#include "server/batch.h"
#include "server/client_registry.h"
#include "server/loop_state.h"
#include "server/transaction.h"

namespace kiwi::server {

class Server;

// Why CLIENT KILL closes.
inline constexpr std::string_view kKilled = "killed by CLIENT KILL";

class Session final : public net::Connection::Handler, public commands::SessionView {
 public:
  // On the connection's loop, which knows it from here on. Deletes itself after OnClosed, once no
  // batch is under way.
  Session(Server* server, net::Connection* connection, std::shared_ptr<ClientRecord> record);
  ~Session() override;

  // --- net::Connection::Handler: the loop's thread ---
  void OnInput(net::Connection& connection) override;
  void OnDrained(net::Connection& connection) override;
  // `printf … | nc`: what was asked before the end is still answered.
  void OnEndOfInput(net::Connection& connection) override;
  void OnClosed(net::Connection& connection, const Status& reason) override;
  // Goes at once when no batch is under way, else after its pass.
  void OnMoveWanted(net::Connection& connection, net::Loop& target) override;

  // --- the batch, back on the loop ---
  void OnPassDone();
  // There is room in the channel again, or a pause has ended. The session waits.
  void Resubmit();
  // Once a second: timeout, output buffer limits.
  void Tick(int64_t now_ms);
  // CLIENT KILL and shutdown.
  void CloseSoon(std::string_view reason);
  // Where a batch under way comes back to.
  net::Loop& loop() { return home_->loop(); }
  net::Connection* connection() { return connection_; }

  // --- the executor ---
  enum class ReplyGate : uint8_t { kSend, kDrop };
  // Whether the reply of the request just executed is sent (CLIENT REPLY); steps SKIP on.
  ReplyGate TakeReplyGate();
  bool closing() const { return close_after_reply_ || closed_.load(std::memory_order_relaxed); }
  bool MayUseProtected() const;
  bool RunsInsideMulti(const commands::Command& command) const;
  void NoteCommand(const commands::Command& command) {
    record_->last_command.store(command.id, std::memory_order_relaxed);
  }
  // A request was refused: a transaction that is being queued will not be executed.
  void NoteRefused() { transaction_refused_ = transaction_refused_ || in_multi_; }
  void NoteWrite(uint64_t log_index) { last_write_ = log_index; }
  bool read_only() const { return read_only_; }
  QueuedCommands& queue() { return transaction_.queue; }
  const QueuedCommands& queue() const { return transaction_.queue; }
  bool transaction_refused() const { return transaction_refused_; }
  void BeginTransaction() { in_multi_ = true; }
  void EndTransaction();  // and unwatches
  Transaction TakeTransaction();
  // Puts back what was taken and not run: the EXEC will come again.
  void RestoreTransaction(Transaction transaction);
  void BeginWatch(uint64_t applied_index);
  void AddWatch(std::string_view key, bool existed);
  void Unwatch();

  // --- commands::SessionView ---
  uint64_t id() const override { return record_->id; }
  commands::ClientInfo Describe() const override;
  int db() const override { return db_; }
  void SetDb(int index) override { db_ = index; }
  std::string_view name() const override { return name_; }
  void SetName(std::string_view name) override;
  void SetLibraryName(std::string_view name) override { record_->SetLibraryName(name); }
  void SetLibraryVersion(std::string_view version) override { record_->SetLibraryVersion(version); }
  int resp_version() const override { return resp_version_; }
  void SetRespVersion(int version) override { resp_version_ = version; }
  bool authenticated() const override { return authenticated_; }
  void SetAuthenticated(bool authenticated) override { authenticated_ = authenticated; }
  std::string_view user() const override { return "default"; }
  void SetReplyMode(commands::ReplyMode mode) override;
  commands::ClientPriority priority() const override { return priority_; }
  void SetPriority(commands::ClientPriority priority) override {
    priority_ = priority;
    priority_chosen_ = true;
  }
  // For a while in which its batch waits for something, by a command's wish.
  void SetBlocked(bool on) {
    if (on) TakeUnblocked();
    record_->SetFlag(ClientRecord::kWaits, on);
    record_->SetFlag(ClientRecord::kBlocked, on);
  }
  // CLIENT UNBLOCK has ended the wait; any thread.
  bool unblocked() const { return record_->Has(ClientRecord::kUnblocked); }
  // True: with an error. Forgets it.
  bool TakeUnblocked() {
    const bool by_error = record_->Has(ClientRecord::kUnblockedByError);
    record_->SetFlag(ClientRecord::kUnblocked, false);
    record_->SetFlag(ClientRecord::kUnblockedByError, false);
    return by_error;
  }
  void SetNoEvict(bool on) override { record_->SetFlag(ClientRecord::kNoEvict, on); }
  void SetReadOnly(bool on) override { read_only_ = on; }
  commands::ReadConsistency consistency() const override;
  void SetConsistency(commands::ReadConsistency consistency) override {
    consistency_ = consistency;
  }
  uint64_t last_write() const override { return last_write_; }
  void CloseAfterReply() override { close_after_reply_ = true; }
  void Reset() override;
  bool in_transaction() const override { return in_multi_ || in_exec_; }

  class ExecutingTransaction;  // sets in_exec_ for its life

 private:
  void Pump(int64_t now_ns);
  bool ParseBatch();
  void PickForTiming();
  void RecordStages();
  ReadKind KindOfReads() const;
  void Submit(int64_t now_ns, bool again);
  void BeginPass(int64_t now_ns);
  void StopWaiting(int64_t now_ns);
  void LeaveQueue();
  void EndHolding(int64_t now_ns);
  void EndUnread(int64_t now_ns);
  void LeaveHome();
  void Arrive();
  void AddProtocolError();
  bool OverOutputLimit(int64_t now_ms);
  void DeleteIfDone();
  void Publish();

  Server* const server_;
  net::Connection* connection_;  // null after OnClosed
  // Of the loop that has the connection. Not to be used while it moves. Stays until a batch under
  // way is back.
  LoopState* home_;
  const std::shared_ptr<ClientRecord> record_;
  const bool is_local_;  // a unix socket, or the loopback interface

  // The loop's.
  protocol::RequestParser parser_;
  std::string protocol_error_;
  bool batch_under_way_ = false;  // queued or executing: the state below is not the loop's
  bool waits_ = false;            // the channel refused the batch, or clients are paused
  LoopState::WaitTicket wait_ticket_;
  bool move_wanted_ = false;  // after the pass
  bool moving_ = false;       // between two loops: neither knows the session
  bool holds_loop_ = false;   // closed, but its batch is to come back there
  uint8_t batches_ = 0;
  std::atomic<bool> closed_{false};  // the executor looks at it, too
  bool parse_failed_ = false;
  bool end_of_input_ = false;
  bool multi_slow_ = false;  // parsed since MULTI: something that no net loop may run
  int64_t last_active_ms_ = 0;
  int64_t over_soft_since_ms_ = 0;
  int64_t held_since_ns_ = 0;    // the channel refuses its batch; 0: it does not
  int64_t unread_since_ns_ = 0;  // not executed further until the client reads; 0: it is

  // Of the thread that runs the batch, else the loop's.
  Batch batch_;
  int db_ = 0;
  int resp_version_ = 2;
  bool authenticated_ = false;
  bool in_multi_ = false;
  bool in_exec_ = false;
  bool transaction_refused_ = false;
  bool reply_off_ = false;
  uint8_t skip_replies_ = 0;  // 2: this reply and the next; 1: this one
  bool close_after_reply_ = false;
  bool read_only_ = false;                                // READONLY
  std::optional<commands::ReadConsistency> consistency_;  // CLIENT CONSISTENCY; else the server's
  uint64_t last_write_ = 0;                               // log index
  commands::ClientPriority priority_ = commands::ClientPriority::kNormal;
  bool priority_chosen_ = false;  // by CLIENT PRIORITY; else each command has its default
  Transaction transaction_;
  std::string name_;
};

// While a transaction runs its commands, its session counts as inside it.
class Session::ExecutingTransaction {
 public:
  explicit ExecutingTransaction(Session& session) : session_(session) { session_.in_exec_ = true; }
  ~ExecutingTransaction() { session_.in_exec_ = false; }

 private:
  Session& session_;
};

}  // namespace kiwi::server

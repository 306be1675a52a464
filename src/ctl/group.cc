#include "ctl/group.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

namespace kiwi::ctl {
namespace {

constexpr int64_t kBackoffMinMs = 50;
constexpr int64_t kBackoffMaxMs = 1000;
constexpr int64_t kAskMs = 2000;
constexpr int64_t kTellFromMs = 800;  // of the pauses; by then it has tried for most of a second

bool MayTryAgain(const Value& reply) {
  return reply.error && (reply.text.starts_with("NOTLEADER") ||
                         reply.text.starts_with("TRYAGAIN") || reply.text.starts_with("LOADING"));
}

// A server that is no Kiwi, or wants another password, says the same the next time.
Status Refusal(const Address& node, const Value& reply) {
  const bool passing = reply.text.starts_with("LOADING") || reply.text.starts_with("TRYAGAIN");
  return {passing ? StatusCode::kUnavailable : StatusCode::kInvalidArgument,
          node.ToString() + ": " + reply.text};
}

Status NotKnown(const Status& broken) {
  return {StatusCode::kAborted, "the connection broke; whether it took effect is not known: " +
                                    std::string(broken.message())};
}

}  // namespace

int64_t Group::LeftMs(int64_t deadline_ns) const {
  return std::max<int64_t>(0, (deadline_ns - clock_->MonotonicNs()) / 1'000'000);
}

bool Group::MayGoOn(int64_t deadline_ns, ::kiwi::Status* why) {
  const int64_t left_ms = LeftMs(deadline_ns);
  if (left_ms == 0 && why->code() == StatusCode::kNetwork && !before_.ok()) {
    // Nobody can answer in what was left of the time; the attempt before it had enough.
    *why = before_;
  }
  if (why->code() == StatusCode::kInvalidArgument || left_ms == 0) return false;
  before_ = *why;
  backoff_ms_ = std::clamp(2 * backoff_ms_, kBackoffMinMs, kBackoffMaxMs);
  if (backoff_ms_ >= kTellFromMs && !std::exchange(told_, true)) {
    std::fprintf(stderr, "kiwi-ctl: %s; trying again for %d s (--timeout)\n",
                 std::string(why->message()).c_str(), static_cast<int>((left_ms + 999) / 1000));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(std::min(backoff_ms_, left_ms)));
  return true;
}

Result<Group::Leader> Group::FindLeader(int64_t deadline_ns, Value* someone) {
  std::vector<Address> nodes = options_.nodes;
  ::kiwi::Status last;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const int64_t left_ms = std::max<int64_t>(1, std::min(kAskMs, LeftMs(deadline_ns)));
    Result<std::unique_ptr<Client>> client = Client::Connect(nodes[i], options_.password, left_ms);
    if (!client.ok()) {
      last = client.status();
      continue;
    }
    Result<Value> status = (*client)->Command({"RAFT.STATUS"});
    if (!status.ok() || status->error) {
      last = status.ok() ? Refusal(nodes[i], *status) : status.status();
      continue;
    }
    if ((*status)["role"].text == "leader") {
      // A change may take its time.
      Result<std::unique_ptr<Client>> patient = Client::Connect(
          nodes[i], options_.password, std::max<int64_t>(kAskMs, LeftMs(deadline_ns)));
      KIWI_RETURN_IF_ERROR(patient.status());
      return Leader{std::move(*patient), std::move(*status)};
    }
    for (const Value& member : (*status)["members"].items) {
      const Result<Address> address = ParseAddress(member["client_address"].text);
      if (!address.ok() || std::find(nodes.begin(), nodes.end(), *address) != nodes.end()) continue;
      nodes.push_back(*address);
    }
    *someone = std::move(*status);
  }
  if (!someone->list) return last;
  return ::kiwi::Status(StatusCode::kNotLeader,
                        "node " + (*someone)["node_id"].text + " answers, and knows no leader" +
                            (last.ok() ? "" : "; " + std::string(last.message())));
}

Result<Value> Group::Status(bool any) {
  const int64_t deadline_ns = clock_->MonotonicNs() + options_.timeout_ms * 1'000'000;
  // A group without a majority can still be looked at; so there is no use in waiting for long.
  const int64_t patience_ns =
      clock_->MonotonicNs() + std::min<int64_t>(options_.timeout_ms, 3000) * 1'000'000;
  while (true) {
    Value someone;
    Result<Leader> leader = FindLeader(deadline_ns, &someone);
    if (leader.ok()) return std::move(leader->status);
    const int64_t now_ns = clock_->MonotonicNs();
    if (any && someone.list && now_ns > patience_ns) return someone;
    ::kiwi::Status why = leader.status();
    if (!MayGoOn(deadline_ns, &why)) return why;
  }
}

Result<Value> Group::TellLeader(const std::vector<std::string>& command) {
  const int64_t deadline_ns = clock_->MonotonicNs() + options_.timeout_ms * 1'000'000;
  while (true) {
    Value someone;
    Result<Leader> leader = FindLeader(deadline_ns, &someone);
    ::kiwi::Status why = leader.status();
    if (leader.ok()) {
      Result<Value> reply = leader->client->Command(command);
      if (!reply.ok()) {
        return NotKnown(reply.status());
      }
      if (!MayTryAgain(*reply)) return reply;
      why = ::kiwi::Status(StatusCode::kBusy, reply->text);
    }
    if (!MayGoOn(deadline_ns, &why)) return why;
  }
}

Result<Value> Group::TellAny(const std::vector<std::string>& command) {
  const int64_t deadline_ns = clock_->MonotonicNs() + options_.timeout_ms * 1'000'000;
  while (true) {
    ::kiwi::Status last(StatusCode::kInvalidArgument, "no node was named");
    for (const Address& node : options_.nodes) {
      Result<std::unique_ptr<Client>> client =
          Client::Connect(node, options_.password, std::max<int64_t>(1, LeftMs(deadline_ns)));
      if (client.ok()) {
        Result<Value> reply = (*client)->Command(command);
        if (!reply.ok()) return NotKnown(reply.status());
        if (!MayTryAgain(*reply)) return reply;
        last = ::kiwi::Status(StatusCode::kBusy, reply->text);
        continue;
      }
      last = client.status();
    }
    if (!MayGoOn(deadline_ns, &last)) return last;
  }
}

}  // namespace kiwi::ctl

#include "ctl/group.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace kiwi::ctl {
namespace {

constexpr int64_t kBackoffMinMs = 50;
constexpr int64_t kBackoffMaxMs = 1000;
constexpr int64_t kAskMs = 2000;

// Doubles from call to call.
void Pause(int64_t* backoff_ms) {
  *backoff_ms = std::clamp(2 * *backoff_ms, kBackoffMinMs, kBackoffMaxMs);
  std::this_thread::sleep_for(std::chrono::milliseconds(*backoff_ms));
}

bool MayTryAgain(const Value& reply) {
  return reply.error && (reply.text.starts_with("NOTLEADER") ||
                         reply.text.starts_with("TRYAGAIN") || reply.text.starts_with("LOADING"));
}

}  // namespace

int64_t Group::LeftMs(int64_t deadline_ns) const {
  return std::max<int64_t>(0, (deadline_ns - clock_->MonotonicNs()) / 1'000'000);
}

Result<Group::Leader> Group::FindLeader(int64_t deadline_ns, Value* someone) {
  std::vector<Address> nodes = options_.nodes;
  ::kiwi::Status last(StatusCode::kNotLeader, "no leader is known");
  for (size_t i = 0; i < nodes.size(); ++i) {
    const int64_t left_ms = std::max<int64_t>(1, std::min(kAskMs, LeftMs(deadline_ns)));
    Result<std::unique_ptr<Client>> client = Client::Connect(nodes[i], options_.password, left_ms);
    if (!client.ok()) {
      last = client.status();
      continue;
    }
    Result<Value> status = (*client)->Command({"RAFT.STATUS"});
    if (!status.ok() || status->error) {
      last = status.ok() ? ::kiwi::Status(StatusCode::kUnavailable, status->text) : status.status();
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
  return last;
}

Result<Value> Group::Status(bool any) {
  const int64_t deadline_ns = clock_->MonotonicNs() + options_.timeout_ms * 1'000'000;
  // A group without a majority can still be looked at; so there is no use in waiting for long.
  const int64_t patience_ns =
      clock_->MonotonicNs() + std::min<int64_t>(options_.timeout_ms, 3000) * 1'000'000;
  int64_t backoff_ms = 0;
  while (true) {
    Value someone;
    Result<Leader> leader = FindLeader(deadline_ns, &someone);
    if (leader.ok()) return std::move(leader->status);
    const int64_t now_ns = clock_->MonotonicNs();
    if (any && someone.list && now_ns > patience_ns) return someone;
    if (now_ns > deadline_ns) return leader.status();
    Pause(&backoff_ms);
  }
}

Result<Value> Group::TellLeader(const std::vector<std::string>& command) {
  const int64_t deadline_ns = clock_->MonotonicNs() + options_.timeout_ms * 1'000'000;
  int64_t backoff_ms = 0;
  while (true) {
    Value someone;
    Result<Leader> leader = FindLeader(deadline_ns, &someone);
    ::kiwi::Status why = leader.status();
    if (leader.ok()) {
      Result<Value> reply = leader->client->Command(command);
      if (!reply.ok()) {
        return ::kiwi::Status(StatusCode::kAborted,
                              "the connection broke; whether it took effect is not known: " +
                                  std::string(reply.status().message()));
      }
      if (!MayTryAgain(*reply)) return reply;
      why = ::kiwi::Status(StatusCode::kBusy, reply->text);
    }
    if (why.code() == StatusCode::kInvalidArgument || clock_->MonotonicNs() > deadline_ns) {
      return why;
    }
    Pause(&backoff_ms);
  }
}

Result<Value> Group::TellAny(const std::vector<std::string>& command) {
  ::kiwi::Status last(StatusCode::kNetwork, "no node was named");
  for (const Address& node : options_.nodes) {
    Result<std::unique_ptr<Client>> client =
        Client::Connect(node, options_.password, options_.timeout_ms);
    if (client.ok()) return (*client)->Command(command);
    last = client.status();
  }
  return last;
}

}  // namespace kiwi::ctl

// What the tests of this folder share: nodes with a transport each, in one process, on loopback.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "raft/transport/frame.h"
#include "raft/transport/transport.h"

namespace kiwi::raft {

inline constexpr std::chrono::seconds kPatience(60);
inline constexpr uint64_t kCluster = 77;

inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Writes down all that a transport says.
class Recorder final : public TransportHandler {
 public:
  struct Service {
    NodeId from;
    ServiceKind kind;
    std::string payload;
  };

  void OnMessage(Message&& message) override {
    MutexLock lock(mu_);
    messages_.push_back(std::move(message));
  }
  void OnUnreachable(NodeId peer) override {
    MutexLock lock(mu_);
    unreachable_.push_back(peer);
  }
  void OnService(NodeId from, ServiceKind kind, std::string&& payload) override {
    if (on_service) on_service(from, kind, payload);
    MutexLock lock(mu_);
    services_.push_back({from, kind, std::move(payload)});
  }
  void OnServiceDown(NodeId peer, ServiceEnd end) override {
    MutexLock lock(mu_);
    downs_.emplace_back(peer, end);
  }

  std::vector<Message> messages() const {
    MutexLock lock(mu_);
    return messages_;
  }
  std::vector<Service> services() const {
    MutexLock lock(mu_);
    return services_;
  }
  size_t message_count() const {
    MutexLock lock(mu_);
    return messages_.size();
  }
  size_t service_count() const {
    MutexLock lock(mu_);
    return services_.size();
  }
  size_t unreachable_count() const {
    MutexLock lock(mu_);
    return unreachable_.size();
  }
  size_t down_count(ServiceEnd end) const {
    MutexLock lock(mu_);
    size_t n = 0;
    for (const auto& [peer, which] : downs_) n += which == end ? 1 : 0;
    return n;
  }

  std::function<void(NodeId, ServiceKind, const std::string&)> on_service;  // set before Start

 private:
  mutable Mutex mu_;
  std::vector<Message> messages_ KIWI_GUARDED_BY(mu_);
  std::vector<NodeId> unreachable_ KIWI_GUARDED_BY(mu_);
  std::vector<Service> services_ KIWI_GUARDED_BY(mu_);
  std::vector<std::pair<NodeId, ServiceEnd>> downs_ KIWI_GUARDED_BY(mu_);
};

struct TestNode {
  explicit TestNode(NodeId id, const std::function<void(TransportOptions&)>& adjust = {}) {
    options.self = id;
    options.backoff_max_ms = 50;
    options.faults = &faults;
    if (adjust) adjust(options);
    transport = std::make_unique<Transport>(options, &recorder);
  }
  void Start(uint64_t cluster = kCluster) {
    transport->SetClusterId(cluster);
    ASSERT_TRUE(transport->Start().ok());
    options.port = transport->port();
  }
  PeerAddress address() const { return {options.self, "127.0.0.1", transport->port()}; }
  PeerLinkStats stats(NodeId peer) const {
    for (PeerLinkStats& s : transport->stats()) {
      if (s.id == peer) return s;
    }
    return {};
  }
  bool Up(NodeId peer) const { return stats(peer).connected && stats(peer).service_connected; }
  uint64_t errors(NodeId peer, LinkError error) const {
    return stats(peer).errors[static_cast<size_t>(error)];
  }

  TransportOptions options;
  fault::LinkFaults faults;
  Recorder recorder;
  std::unique_ptr<Transport> transport;
};

// Makes all know each other and waits until all are connected.
inline void Introduce(const std::vector<TestNode*>& nodes) {
  std::vector<PeerAddress> peers;
  for (const TestNode* node : nodes) peers.push_back(node->address());
  for (TestNode* node : nodes) node->transport->SetPeers(peers);
  for (TestNode* node : nodes) {
    for (const PeerAddress& peer : peers) {
      if (peer.id == node->options.self) continue;
      ASSERT_TRUE(Eventually([&] { return node->Up(peer.id); }))
          << node->options.self << " to " << peer.id;
    }
  }
}

inline Message Heartbeat(NodeId from, NodeId to, uint64_t context) {
  Message m;
  m.type = MessageType::kHeartbeat;
  m.from = from;
  m.to = to;
  m.term = 1;
  m.context = context;
  return m;
}

inline Message Append(NodeId from, NodeId to, LogIndex index, std::vector<std::string> payloads) {
  Message m;
  m.type = MessageType::kAppend;
  m.from = from;
  m.to = to;
  m.term = 1;
  m.index = index - 1;
  for (std::string& payload : payloads) {
    m.entries.push_back(
        {1, index++, EntryType::kNormal, std::make_shared<const std::string>(std::move(payload))});
  }
  return m;
}

// Bytes that do not compress.
inline std::string Noise(size_t n, uint64_t seed = 1) {
  Random random(seed);
  std::string bytes(n, '\0');
  for (size_t i = 0; i + 8 <= n; i += 8) {
    const uint64_t word = random.Next();
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return bytes;
}

// A blocking connection that speaks as the test wants it to.
class RawPeer {
 public:
  explicit RawPeer(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(port));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
  }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  ~RawPeer() { ::close(fd_); }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the other side has closed
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void SendFrame(FrameType type, std::string_view payload, uint8_t flags = 0, uint8_t kind = 0) {
    Frame frame;
    frame.type = type;
    frame.flags = flags;
    frame.kind = kind;
    frame.payload = payload;
    std::string bytes;
    AppendFrame(frame, &bytes);
    Send(bytes);
  }
  void Greet(NodeId from, NodeId to, uint64_t cluster = kCluster,
             StreamKind stream = StreamKind::kMessages, uint32_t version = kProtocolVersion) {
    Hello hello;
    hello.version = version;
    hello.cluster_id = cluster;
    hello.from = from;
    hello.to = to;
    hello.stream = stream;
    SendFrame(FrameType::kHello, EncodeHello(hello));
  }
  // The next frame's type and payload; kHello at the end of the stream.
  std::pair<FrameType, std::string> Next() {
    for (;;) {
      const auto parsed = ParseFrame(in_, kFrameBytesMax);
      if (!parsed.ok()) return {FrameType::kHello, "damaged"};
      if (parsed->bytes > 0) {
        std::pair<FrameType, std::string> result{parsed->frame.type,
                                                 std::string(parsed->frame.payload)};
        in_.erase(0, parsed->bytes);
        return result;
      }
      char buffer[4096];
      pollfd p{fd_, POLLIN, 0};
      if (::poll(&p, 1, 60'000) != 1) return {FrameType::kHello, "nothing came"};
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) return {FrameType::kHello, "the end"};
      in_.append(buffer, static_cast<size_t>(n));
    }
  }
  bool Closes() {
    for (;;) {
      const auto [type, payload] = Next();
      if (type == FrameType::kHello) return payload == "the end";
    }
  }

 private:
  int fd_;
  std::string in_;
};

}  // namespace kiwi::raft

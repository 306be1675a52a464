// Load for groups of nodes: the same client for each system, so that only the protocol differs.
// Prints one line of JSON: operations per second, and the percentiles of their latency in ms.
//
//   cluster_load resp|resp-wait|etcd PORT CONNECTIONS DEPTH SECONDS
//
// resp       DEPTH SETs in one pipeline, the next when all are answered
// resp-wait  the same with WAIT 1 behind them; an operation has ended when WAIT says that a replica has it
// etcd       gRPC (HTTP/2): DEPTH puts under way a connection, a new one as soon as one has ended
//
// Keys are drawn from a million, values have 64 bytes. One thread, epoll.
#include <sys/epoll.h>

#include <memory>
#include <unordered_map>

#include "load_client.h"

namespace kiwi::bench {
namespace {

constexpr auto kWarmUp = std::chrono::seconds(1);

// What has ended so far, since the warm-up.
class Figures {
 public:
  void Begin(Clock::time_point at) { begin_ = at; }
  void Add(Clock::time_point sent, Clock::time_point ended) {
    if (sent < begin_) return;
    micros_.push_back(static_cast<uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(ended - sent).count()));
  }
  void Print(Clock::time_point end) {
    if (micros_.empty()) Fail("nothing was answered");
    const double seconds = std::chrono::duration<double>(end - begin_).count();
    std::printf("{\"rate\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
                static_cast<double>(micros_.size()) / seconds, PercentileMs(&micros_, 0.50),
                PercentileMs(&micros_, 0.99));
  }

 private:
  Clock::time_point begin_;
  std::vector<uint32_t> micros_;
};

// One connection's conversation. `out` is what is still to be sent.
class Dialogue {
 public:
  virtual ~Dialogue() = default;
  virtual void Start(std::string* out) = 0;
  // Consumes what is complete of `in`; may go on with new requests.
  virtual void Read(std::string* in, std::string* out, Figures* figures) = 0;
};

class Resp : public Dialogue {
 public:
  Resp(int depth, bool wait) : depth_(depth), wait_(wait) {}

  void Start(std::string* out) override {
    const std::string value(kValueBytes, 'x');
    for (int i = 0; i < depth_; ++i) {
      const std::string key = RandomKey();
      *out += "*3\r\n$3\r\nSET\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n$64\r\n" +
              value + "\r\n";
    }
    if (wait_) *out += "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n5000\r\n";
    sent_ = Clock::now();
    answered_ = 0;
  }

  void Read(std::string* in, std::string* out, Figures* figures) override {
    const Clock::time_point now = Clock::now();
    size_t at = 0;
    for (size_t end; (end = in->find("\r\n", at)) != std::string::npos; at = end + 2) {
      const std::string_view line(in->data() + at, end - at);
      const bool last = wait_ && answered_ == depth_;
      if (last ? line == ":0" || line[0] != ':' : line != "+OK")
        Fail("answered " + std::string(line));
      ++answered_;
      if (last) {
        for (int i = 0; i < depth_; ++i) figures->Add(sent_, now);
      } else if (!wait_) {
        figures->Add(sent_, now);
      }
      if (answered_ == depth_ + (wait_ ? 1 : 0)) Start(out);
    }
    in->erase(0, at);
  }

 private:
  const int depth_;
  const bool wait_;
  Clock::time_point sent_;
  int answered_ = 0;
};

// Just enough of HTTP/2 and gRPC for one method: etcdserverpb.KV/Put.
class Etcd : public Dialogue {
 public:
  explicit Etcd(int depth) : depth_(depth) {}

  void Start(std::string* out) override {
    *out += "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    Frame(kSettings, 0, 0, "", out);
    for (int i = 0; i < depth_; ++i) Put(out);
  }

  void Read(std::string* in, std::string* out, Figures* figures) override {
    size_t at = 0;
    while (in->size() - at >= kFrameHeader) {
      const auto* header = reinterpret_cast<const uint8_t*>(in->data() + at);
      const size_t size = header[0] << 16 | header[1] << 8 | header[2];
      if (in->size() - at < kFrameHeader + size) break;
      const uint32_t stream = Read32(header + 5) & 0x7fffffff;
      OnFrame(header[3], header[4], stream, std::string_view(*in).substr(at + kFrameHeader, size),
              out, figures);
      at += kFrameHeader + size;
    }
    in->erase(0, at);
  }

 private:
  enum Type : uint8_t {
    kData = 0,
    kHeaders = 1,
    kReset = 3,
    kSettings = 4,
    kPing = 6,
    kGoAway = 7,
    kWindowUpdate = 8
  };
  static constexpr uint8_t kEndStream = 1;
  static constexpr uint8_t kAck = 1;
  static constexpr uint8_t kEndHeaders = 4;
  static constexpr size_t kFrameHeader = 9;
  static constexpr uint32_t kGrantEvery = 16384;

  struct Call {
    Clock::time_point sent;
    bool answered = false;
  };

  static uint32_t Read32(const uint8_t* p) {
    return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | uint32_t{p[3]};
  }
  static std::string Write32(uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
            static_cast<char>(value >> 8), static_cast<char>(value)};
  }
  static std::string Text(std::string_view text) {
    return static_cast<char>(text.size()) + std::string(text);
  }

  static void Frame(Type type, uint8_t flags, uint32_t stream, std::string_view body,
                    std::string* out) {
    *out += Write32(static_cast<uint32_t>(body.size())).substr(1);
    *out += static_cast<char>(type);
    *out += static_cast<char>(flags);
    *out += Write32(stream);
    *out += body;
  }

  // HPACK: the first request's headers go into the peer's table, the others refer to it.
  std::string Headers() {
    const std::string fixed = "\x83\x86";  // :method POST, :scheme http
    if (next_stream_ > 1) return fixed + "\xc1\xc0\xbf\xbe";
    return fixed + "\x44" + Text("/etcdserverpb.KV/Put") + "\x41" + Text("127.0.0.1") + "\x5f" +
           Text("application/grpc") + "\x40" + Text("te") + Text("trailers");
  }

  void Put(std::string* out) {
    const std::string key = RandomKey();
    const std::string message = "\x0a" + Text(key) + "\x12" + Text(std::string(kValueBytes, 'x'));
    Frame(kHeaders, kEndHeaders, next_stream_, Headers(), out);
    std::string body(1, '\0');  // not compressed
    body += Write32(static_cast<uint32_t>(message.size())) + message;
    Frame(kData, kEndStream, next_stream_, body, out);
    window_ -= static_cast<int64_t>(body.size());
    if (window_ < 0) Fail("etcd reads slower than its window allows");
    calls_[next_stream_] = {Clock::now(), false};
    next_stream_ += 2;
  }

  void OnFrame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view body,
               std::string* out, Figures* figures) {
    if (type == kSettings && (flags & kAck) == 0) Frame(kSettings, kAck, 0, "", out);
    if (type == kPing && (flags & kAck) == 0) Frame(kPing, kAck, 0, body, out);
    if (type == kWindowUpdate && stream == 0) {
      window_ += Read32(reinterpret_cast<const uint8_t*>(body.data()));
    }
    if (type == kReset || type == kGoAway) Fail("etcd ended the stream");
    if (type == kData) {
      calls_[stream].answered = true;
      received_ += static_cast<uint32_t>(body.size());
      if (received_ >= kGrantEvery) {
        Frame(kWindowUpdate, 0, 0, Write32(received_), out);
        received_ = 0;
      }
    }
    if (type == kHeaders && (flags & kEndStream) != 0) {
      const auto call = calls_.find(stream);
      // An error has trailers and no message.
      if (call == calls_.end() || !call->second.answered) Fail("etcd refused a put");
      figures->Add(call->second.sent, Clock::now());
      calls_.erase(call);
      Put(out);
    }
  }

  const int depth_;
  uint32_t next_stream_ = 1;
  int64_t window_ = 65535;
  uint32_t received_ = 0;
  std::unordered_map<uint32_t, Call> calls_;
};

struct Connection {
  int fd = -1;
  std::string in;
  std::string out;
  std::unique_ptr<Dialogue> dialogue;
};

// Requests are small, so a blocking send is no wait to speak of.
void Send(Connection* connection) {
  std::string& out = connection->out;
  for (size_t at = 0; at < out.size();) {
    const ssize_t sent = send(connection->fd, out.data() + at, out.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) Fail("the connection broke");
    at += static_cast<size_t>(sent);
  }
  out.clear();
}

void Receive(Connection* connection, Figures* figures) {
  std::array<char, 65536> bytes;
  const ssize_t got = recv(connection->fd, bytes.data(), bytes.size(), 0);
  if (got <= 0) Fail("the connection broke");
  connection->in.append(bytes.data(), static_cast<size_t>(got));
  connection->dialogue->Read(&connection->in, &connection->out, figures);
  Send(connection);
}

std::unique_ptr<Dialogue> MakeDialogue(std::string_view kind, int depth) {
  if (kind == "resp") return std::make_unique<Resp>(depth, false);
  if (kind == "resp-wait") return std::make_unique<Resp>(depth, true);
  if (kind == "etcd") return std::make_unique<Etcd>(depth);
  Fail("resp, resp-wait or etcd");
}

int Main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: cluster_load resp|resp-wait|etcd PORT CONNECTIONS DEPTH SECONDS\n");
    return 2;
  }
  const int depth = std::max(1, std::atoi(argv[4]));
  std::vector<Connection> connections(static_cast<size_t>(std::max(1, std::atoi(argv[3]))));
  Figures figures;
  const int poll = epoll_create1(0);
  for (Connection& connection : connections) {
    connection.fd = Connect(std::atoi(argv[2]));
    connection.dialogue = MakeDialogue(argv[1], depth);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    epoll_ctl(poll, EPOLL_CTL_ADD, connection.fd, &event);
  }
  const Clock::time_point begin = Clock::now() + kWarmUp;
  const Clock::time_point end =
      begin + std::chrono::milliseconds(static_cast<int64_t>(std::atof(argv[5]) * 1000));
  figures.Begin(begin);
  for (Connection& connection : connections) {
    connection.dialogue->Start(&connection.out);
    Send(&connection);
  }
  std::array<epoll_event, 64> events;
  while (Clock::now() < end) {
    const int ready = epoll_wait(poll, events.data(), events.size(), 5000);
    if (ready == 0) Fail("nothing was answered for five seconds");
    for (int i = 0; i < ready; ++i) Receive(static_cast<Connection*>(events[i].data.ptr), &figures);
  }
  figures.Print(Clock::now());
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace
}  // namespace kiwi::bench

int main(int argc, char** argv) { return kiwi::bench::Main(argc, argv); }

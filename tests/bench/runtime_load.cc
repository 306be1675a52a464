// Load with priorities: classes of connections, each with its own priority, commands and pace.
// Prints one line of JSON: by class, and for all together, the rate and percentiles of the latency; by
// class a series over time.
//
//   runtime_load PORT SECONDS [--warm-up S] [--series MS] [--hold] CLASS...
//   --hold: when all are connected, says so and waits for a line on its standard input.
//   CLASS: NAME:key=value,…
//     priority=high|normal|low  sent as CLIENT PRIORITY; without it the connection says nothing
//     connections=1             of this class
//     depth=1                   commands a pipeline
//     mix=get                   words joined by +, taken by turns; word*3 is three turns:
//                               get set incr        one of a million keys (keys=N: of N)
//                               keys                KEYS with a pattern that matches nothing
//                               hget hmid hgetall   HGETALL of one of hash:0 to hash:999, of hash:mid, hash:big
//                               scan                1000 keys from a random cursor on
//                               check               SET, GET, INCR of the connection's own keys:
//                                                   each reply is compared byte by byte
//     rate=0                    0: closed loop, a connection sends when all it asked is answered.
//                               Else pipelines a second of the whole class, whatever is answered;
//                               2000/9000/2000: one after the other, each for an equal time.
//     name=x                    of the keys of `check`
//
// With a rate, latency counts from the time at which the pipeline was to be sent, and what is not
// answered at the end counts with the time it has waited: a server that stalls cannot hide it.
// One thread, epoll. Rates and latencies are of the time after the warm-up.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cmath>
#include <deque>
#include <memory>

#include "load_client.h"
#include "load_figures.h"
#include "reply_scanner.h"

namespace kiwi::bench {
namespace {

constexpr size_t kMaxUnderWay = 64;  // pipelines of one connection; then the next ones are late
constexpr auto kDrainTime = std::chrono::seconds(60);
constexpr auto kSilence = std::chrono::seconds(30);

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t at = 0;;) {
    const size_t end = text.find(separator, at);
    parts.emplace_back(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return parts;
    at = end + 1;
  }
}

struct ClassSpec {
  std::string name;
  std::string priority;
  std::string key_name = "c";
  int connections = 1;
  int depth = 1;
  uint32_t keys = kKeys;
  std::vector<std::string> mix;
  std::vector<double> rates;

  bool open_loop() const { return rates.front() > 0; }
  bool checks() const { return mix.front() == "check"; }
};

std::vector<std::string> ParseMix(const std::string& text) {
  std::vector<std::string> turns;
  for (const std::string& word : Split(text, '+')) {
    const std::vector<std::string> parts = Split(word, '*');
    const int times = parts.size() > 1 ? std::atoi(parts[1].c_str()) : 1;
    turns.insert(turns.end(), static_cast<size_t>(std::max(1, times)), parts[0]);
  }
  return turns;
}

ClassSpec ParseClass(const std::string& text) {
  ClassSpec spec;
  const size_t colon = text.find(':');
  if (colon == std::string::npos) Fail("not NAME:key=value,…: " + text);
  spec.name = text.substr(0, colon);
  spec.mix = {"get"};
  spec.rates = {0};
  for (const std::string& pair : Split(std::string_view(text).substr(colon + 1), ',')) {
    const size_t at = pair.find('=');
    const std::string key = pair.substr(0, at);
    const std::string value = at == std::string::npos ? "" : pair.substr(at + 1);
    if (key == "priority") {
      spec.priority = value;
    } else if (key == "connections") {
      spec.connections = std::atoi(value.c_str());
    } else if (key == "depth") {
      spec.depth = std::max(1, std::atoi(value.c_str()));
    } else if (key == "keys") {
      spec.keys = static_cast<uint32_t>(std::max(1, std::atoi(value.c_str())));
    } else if (key == "mix") {
      spec.mix = ParseMix(value);
    } else if (key == "name") {
      spec.key_name = value;
    } else if (key == "rate") {
      spec.rates.clear();
      for (const std::string& rate : Split(value, '/'))
        spec.rates.push_back(std::atof(rate.c_str()));
    } else {
      Fail("no such key of a class: " + pair);
    }
  }
  return spec;
}

void AppendCommand(const std::vector<std::string_view>& args, std::string* out) {
  *out += "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) AppendBulk(arg, out);
}

class LoadClass;

struct Connection {
  LoadClass* owner = nullptr;
  int fd = -1;
  int poll = -1;
  int number = 0;
  bool wants_to_write = false;
  std::string out;
  ReplyScanner scanner;
  struct Pipeline {
    Clock::time_point intended;
    int unanswered = 0;
  };
  std::deque<Pipeline> under_way;
  // Of `check`.
  uint64_t counter = 0;
  std::string expected;
};

void Flush(Connection* c) {
  size_t at = 0;
  while (at < c->out.size()) {
    const ssize_t sent = send(c->fd, c->out.data() + at, c->out.size() - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent <= 0) Fail("the connection broke: " + c->scanner.last_error());
    at += static_cast<size_t>(sent);
  }
  c->out.erase(0, at);
  if (c->wants_to_write == !c->out.empty()) return;
  c->wants_to_write = !c->out.empty();
  epoll_event event{};
  event.events = EPOLLIN | (c->wants_to_write ? EPOLLOUT : 0U);
  event.data.ptr = c;
  epoll_ctl(c->poll, EPOLL_CTL_MOD, c->fd, &event);
}

class LoadClass {
 public:
  LoadClass(ClassSpec spec, int port, int poll) : spec_(std::move(spec)) {
    for (int i = 0; i < spec_.connections; ++i) {
      Connection& c = connections_.emplace_back();
      c.owner = this;
      c.fd = Connect(port);
      c.poll = poll;
      c.number = i;
      ChoosePriority(c);
      fcntl(c.fd, F_SETFL, O_NONBLOCK);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &c;
      epoll_ctl(poll, EPOLL_CTL_ADD, c.fd, &event);
    }
  }

  // What was to be sent before `counts` is the warm-up.
  void Begin(Clock::time_point start, Clock::time_point counts, Clock::time_point end) {
    figures_.Begin(counts, end);
    start_ = due_ = start;
    end_ = end;
    if (spec_.open_loop()) return;
    for (Connection& c : connections_) SendPipeline(&c, start);
  }

  // When the next pipeline is to be sent: in the past while all connections have too much under way.
  Clock::time_point due() const { return spec_.open_loop() ? due_ : Clock::time_point::max(); }

  // Open loop: sends all that is due.
  void SendDue(Clock::time_point now) {
    while (due() <= now && due_ < end_) {
      Connection* c = NextConnection();
      if (c == nullptr) return;
      const Clock::time_point intended = due_;
      due_ += std::chrono::nanoseconds(static_cast<int64_t>(1e9 / RateAt(intended)));
      SendPipeline(c, intended);
    }
  }
  bool late(Clock::time_point now) const { return due() <= now; }

  void Receive(Connection* c) {
    static std::array<char, 256 << 10> bytes;
    const ssize_t got = recv(c->fd, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) Fail("the connection broke: " + c->scanner.last_error());
    const std::string_view brought(bytes.data(), static_cast<size_t>(got));
    if (spec_.checks()) Compare(c, brought);
    const uint64_t errors_before = c->scanner.errors();
    size_t replies = c->scanner.Feed(brought);
    if (c->scanner.errors() != errors_before) {
      figures_.AddErrors(c->scanner.errors() - errors_before, c->scanner.last_error());
    }
    const Clock::time_point now = Clock::now();
    figures_.AddCommands(replies, now);
    while (replies > 0) {
      if (c->under_way.empty()) Fail("a reply that nobody asked for");
      Connection::Pipeline& first = c->under_way.front();
      const int n = std::min(first.unanswered, static_cast<int>(replies));
      first.unanswered -= n;
      replies -= static_cast<size_t>(n);
      if (first.unanswered > 0) break;
      figures_.Add(first.intended, now);
      c->under_way.pop_front();
    }
    if (!spec_.open_loop() && c->under_way.empty() && now < end_) SendPipeline(c, now);
  }

  // What was to be sent and is not answered now counts as if it were.
  void CountUnanswered(Clock::time_point now) {
    if (!spec_.open_loop()) return;
    for (const Connection& c : connections_) {
      for (const Connection::Pipeline& p : c.under_way) figures_.Add(p.intended, now);
    }
    while (due_ < end_) {
      figures_.Add(due_, now);
      due_ += std::chrono::nanoseconds(static_cast<int64_t>(1e9 / RateAt(due_)));
    }
  }

  bool must_drain() const {
    return spec_.checks() && std::any_of(connections_.begin(), connections_.end(),
                                         [](const Connection& c) { return !c.under_way.empty(); });
  }
  // Pipelines a second that were to be sent at that time; 0: as many as are answered.
  double RateAt(Clock::time_point at) const {
    const double share = std::chrono::duration<double>(at - start_) / (end_ - start_);
    const auto step =
        static_cast<size_t>(std::max(0.0, share) * static_cast<double>(spec_.rates.size()));
    return spec_.rates[std::min(step, spec_.rates.size() - 1)];
  }
  const ClassSpec& spec() const { return spec_; }
  const Figures& figures() const { return figures_; }

  // The inside of an object; with a series if there is an interval.
  std::string Json(double series_ms) {
    std::string out = figures_.Json();
    if (series_ms <= 0) return out;
    const auto offered = [this](Clock::time_point at) { return RateAt(at) * spec_.depth; };
    return out + ", \"series\": [" + figures_.Series(series_ms, offered) + "]";
  }

 private:
  void ChoosePriority(const Connection& c) const {
    if (spec_.priority.empty()) return;
    std::string out;
    AppendCommand({"CLIENT", "PRIORITY", spec_.priority}, &out);
    std::array<char, 64> answer{};
    if (send(c.fd, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size()) ||
        recv(c.fd, answer.data(), answer.size() - 1, 0) <= 0 ||
        std::string_view(answer.data()) != "+OK\r\n") {
      Fail("CLIENT PRIORITY: " + std::string(answer.data()));
    }
  }

  // By turns; null: all have too much under way.
  Connection* NextConnection() {
    for (size_t i = 0; i < connections_.size(); ++i) {
      Connection& c = connections_[next_connection_++ % connections_.size()];
      if (c.under_way.size() < kMaxUnderWay) return &c;
    }
    return nullptr;
  }

  void SendPipeline(Connection* c, Clock::time_point intended) {
    int replies = 0;
    for (int i = 0; i < spec_.depth; ++i) {
      replies += AppendNext(spec_.mix[next_word_++ % spec_.mix.size()], c);
    }
    c->under_way.push_back({intended, replies});
    Flush(c);
  }

  // The number of replies to come.
  int AppendNext(const std::string& word, Connection* c) {
    static const std::string value(kValueBytes, 'x');
    static uint64_t cursor = 0;
    static uint32_t hash = 0;
    if (word == "check") return AppendChecked(c);
    if (word == "get") {
      AppendCommand({"GET", RandomKey(spec_.keys)}, &c->out);
    } else if (word == "set") {
      AppendCommand({"SET", RandomKey(spec_.keys), value}, &c->out);
    } else if (word == "incr") {
      AppendCommand({"INCR", "n:" + RandomKey(spec_.keys)}, &c->out);
    } else if (word == "keys") {
      AppendCommand({"KEYS", "nobody:*:has:such:a:name"}, &c->out);
    } else if (word == "hget") {
      AppendCommand({"HGETALL", "hash:" + std::to_string(++hash % 1000)}, &c->out);
    } else if (word == "hmid") {
      AppendCommand({"HGETALL", "hash:mid"}, &c->out);
    } else if (word == "hgetall") {
      AppendCommand({"HGETALL", "hash:big"}, &c->out);
    } else if (word == "scan") {
      cursor = cursor * 6364136223846793005 + 1442695040888963407;
      AppendCommand({"SCAN", std::to_string(cursor >> 50), "MATCH", "nobody:*", "COUNT", "1000"},
                    &c->out);
    } else {
      Fail("no such word of a mix: " + word);
    }
    return 1;
  }

  int AppendChecked(Connection* c) {
    const std::string key = spec_.key_name + ":" + std::to_string(c->number);
    const std::string count = std::to_string(++c->counter);
    AppendCommand({"SET", key, count}, &c->out);
    AppendCommand({"GET", key}, &c->out);
    AppendCommand({"INCR", key + ":n"}, &c->out);
    c->expected += "+OK\r\n";
    AppendBulk(count, &c->expected);
    c->expected += ":" + count + "\r\n";
    return 3;
  }

  void Compare(Connection* c, std::string_view brought) const {
    if (std::string_view(c->expected).substr(0, brought.size()) != brought) {
      Fail(spec_.key_name + ":" + std::to_string(c->number) + ": expected " +
           c->expected.substr(0, 200) + "\ngot " + std::string(brought.substr(0, 200)));
    }
    c->expected.erase(0, brought.size());
  }

  const ClassSpec spec_;
  std::deque<Connection> connections_;  // addresses stay
  Figures figures_;
  size_t next_connection_ = 0;
  size_t next_word_ = 0;
  Clock::time_point start_;
  Clock::time_point end_;
  Clock::time_point due_;
};

class Load {
 public:
  Load(int port, double seconds, double warm_up, double series_ms,
       const std::vector<std::string>& classes)
      : seconds_(seconds), warm_up_(warm_up), series_ms_(series_ms), poll_(epoll_create1(0)) {
    for (const std::string& text : classes) classes_.emplace_back(ParseClass(text), port, poll_);
  }

  void Run() {
    const auto span = [](double s) {
      return std::chrono::nanoseconds(static_cast<int64_t>(s * 1e9));
    };
    const Clock::time_point start = heard_ = Clock::now();
    const Clock::time_point begin = start + span(warm_up_);
    const Clock::time_point end = begin + span(seconds_);
    for (LoadClass& c : classes_) c.Begin(start, begin, end);
    for (Clock::time_point now = start; now < end; now = Clock::now()) Step(now, end);
    for (LoadClass& c : classes_) c.CountUnanswered(end);
    const Clock::time_point patience = end + kDrainTime;
    while (std::any_of(classes_.begin(), classes_.end(), [](auto& c) { return c.must_drain(); })) {
      const Clock::time_point now = Clock::now();
      if (now > patience) Fail("not everything was answered");
      Step(now, patience);
    }
  }

  void Print() {
    std::string out;
    Figures all = classes_.front().figures();
    for (size_t i = 1; i < classes_.size(); ++i) all.Merge(classes_[i].figures());
    for (LoadClass& c : classes_) {
      out += (out.empty() ? "{\"" : ", \"") + c.spec().name + "\": {" + c.Json(series_ms_) + "}";
    }
    std::printf("%s, \"all\": {%s}}\n", out.c_str(), all.Json().c_str());
  }

 private:
  // Sends what is due, and waits for answers until the next is.
  void Step(Clock::time_point now, Clock::time_point until) {
    for (LoadClass& c : classes_) {
      c.SendDue(now);
      if (!c.late(now)) until = std::min(until, c.due());
    }
    const int64_t wait_ns = std::clamp<int64_t>(
        std::chrono::nanoseconds(until - Clock::now()).count(), 0, 1'000'000'000);
    const timespec timeout{.tv_sec = wait_ns / 1'000'000'000, .tv_nsec = wait_ns % 1'000'000'000};
    std::array<epoll_event, 64> events;
    const int ready = epoll_pwait2(poll_, events.data(), events.size(), &timeout, nullptr);
    if (ready > 0) heard_ = now;
    if (now - heard_ > kSilence) Fail("nothing was answered for half a minute");
    for (int i = 0; i < ready; ++i) {
      auto* c = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      if ((events[static_cast<size_t>(i)].events & EPOLLOUT) != 0) Flush(c);
      c->owner->Receive(c);
    }
  }

  const double seconds_;
  const double warm_up_;
  const double series_ms_;
  const int poll_;
  std::deque<LoadClass> classes_;  // addresses stay
  Clock::time_point heard_;
};

int Main(int argc, char** argv) {
  std::vector<std::string> words;
  double warm_up = 0.5;
  double series_ms = 0;
  bool hold = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if ((arg == "--warm-up" || arg == "--series") && i + 1 < argc) {
      (arg == "--warm-up" ? warm_up : series_ms) = std::atof(argv[++i]);
    } else if (arg == "--hold") {
      hold = true;
    } else {
      words.emplace_back(arg);
    }
  }
  if (words.size() < 3) {
    std::fprintf(
        stderr, "usage: runtime_load PORT SECONDS [--warm-up S] [--series MS] [--hold] CLASS...\n");
    return 2;
  }
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  prctl(PR_SET_TIMERSLACK, 1000);  // ns: pipelines leave when they are due
  Load load(std::atoi(words[0].c_str()), std::atof(words[1].c_str()), warm_up, series_ms,
            {words.begin() + 2, words.end()});
  if (hold) {
    std::puts("connected");
    std::fflush(stdout);
    while (std::getchar() != '\n' && std::feof(stdin) == 0) {
    }
  }
  load.Run();
  load.Print();
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace
}  // namespace kiwi::bench

int main(int argc, char** argv) { return kiwi::bench::Main(argc, argv); }

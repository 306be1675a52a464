#include "net/loop.h"

#include <pthread.h>
#include <uv.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/connection_impl.h"
#include "net/loop_impl.h"

namespace kiwi::net {
namespace {

thread_local const Loop::Impl* current_loop = nullptr;

// Self-posted tasks are run in the same iteration, so that their replies leave with it; but only so
// many rounds, so that two tasks that post each other do not keep the sockets waiting.
constexpr int kTaskRounds = 4;
constexpr int kFlushRounds = 4;
constexpr int64_t kLingerCheckMs = 1000;

class FunctionTask final : public LoopTask {
 public:
  explicit FunctionTask(std::function<void()> fn) : fn_(std::move(fn)) {}
  void RunOnLoop() override {
    const std::unique_ptr<FunctionTask> self(this);
    fn_();
  }

 private:
  std::function<void()> fn_;
};

}  // namespace

// --- Poller ---

Poller* Poller::Open(Loop::Impl& loop, int fd, void* owner, OnEvent on_event) {
  std::unique_ptr<Poller> poller(new Poller(loop, owner, on_event));
  if (uv_poll_init(&loop.uv, &poller->handle_, fd) != 0) return nullptr;
  poller->handle_.data = poller.get();
  return poller.release();
}

void Poller::Watch(int events) {
  if (events == watched_) return;
  watched_ = events;
  const int result =
      events == 0 ? uv_poll_stop(&handle_) : uv_poll_start(&handle_, events, &Poller::Dispatch);
  KIWI_CHECK(result == 0, "a poll handle refused to start or stop");
}

void Poller::Close() {
  owner_ = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), [](uv_handle_t* handle) {
    const std::unique_ptr<Poller> done(static_cast<Poller*>(handle->data));
  });
}

void Poller::Dispatch(uv_poll_t* handle, int status, int events) {
  auto* self = static_cast<Poller*>(handle->data);
  self->loop_.OnPollReturned();
  self->loop_.had_event = true;
  if (status < 0) self->watched_ = 0;  // libuv has stopped the handle
  if (self->owner_ != nullptr) self->on_event_(self->owner_, status, events);
}

// --- Loop::Impl ---

Loop::Impl::Impl(Loop* self, const LoopOptions& o) : loop(self), options(o) {
  slab = InputBlock::Allocate(2 * std::max<size_t>(options.read_chunk_bytes, 4 * kSlabCarryMax));
  KIWI_CHECK(uv_loop_init(&uv) == 0, "no event loop: out of descriptors?");
  uv.data = this;
  const auto init = [this](auto& handle) { handle.data = this; };
  KIWI_CHECK(uv_async_init(&uv, &async,
                           [](uv_async_t* h) {
                             static_cast<Impl*>(h->data)->OnPollReturned();
                             static_cast<Impl*>(h->data)->had_event = true;
                           }) == 0,
             "no wake-up handle: out of descriptors?");
  uv_prepare_init(&uv, &prepare);
  uv_check_init(&uv, &check);
  uv_idle_init(&uv, &idle);
  init(async);
  init(prepare);
  init(check);
  init(idle);
  uv_prepare_start(&prepare, [](uv_prepare_t* h) { static_cast<Impl*>(h->data)->EndIteration(); });
  uv_check_start(&check, [](uv_check_t* h) { static_cast<Impl*>(h->data)->OnPollReturned(); });
}

void Loop::Impl::OnPollReturned() {
  if (woke_ns.load(std::memory_order_relaxed) != 0) return;
  sleeping.store(false, std::memory_order_relaxed);
  woke_ns.store(SystemClock().MonotonicNs(), std::memory_order_relaxed);
}

// libuv calls this right before it asks how long the poll may block.
void Loop::Impl::EndIteration() {
  wake_requested.exchange(false, std::memory_order_seq_cst);
  Count(counters.iterations);
  RunTasks();
  bool work_left = hook && hook();
  for (int round = 1; round < kTaskRounds && !tasks.empty(); ++round) {
    RunTasks();
    work_left = hook && hook();  // what they have made is not left lying while the loop sleeps
  }
  FlushOutput();
  for (const auto& fn : std::exchange(after_output, {})) fn();
  Leave();
  if (stop_requested.load(std::memory_order_acquire)) {
    uv_stop(&uv);
    return;
  }
  const int64_t now = SystemClock().MonotonicNs();
  if (const int64_t woke = woke_ns.load(std::memory_order_relaxed); woke != 0) {
    if (had_event) {
      const int64_t smoothed = iteration_ns.load(std::memory_order_relaxed);
      iteration_ns.store(smoothed + (now - woke - smoothed) / 16, std::memory_order_relaxed);
      last_event_ns = now;
    }
    woke_ns.store(0, std::memory_order_relaxed);
    had_event = false;
  }
  const bool spin = options.spin_us > 0 && now - last_event_ns < options.spin_us * 1000;
  SetPollBlocks(DecideToBlock(work_left || spin));
}

bool Loop::Impl::DecideToBlock(bool work_left) {
  if (work_left || !dirty.empty() || !leaving.empty() || !after_output.empty()) return false;
  sleeping.store(true, std::memory_order_seq_cst);
  // Whoever posts from here on sees that the loop sleeps; who posted before is seen here.
  if (!tasks.empty() || wake_requested.load(std::memory_order_seq_cst)) {
    sleeping.store(false, std::memory_order_relaxed);
    return false;
  }
  Count(counters.polls_blocking);
  return true;
}

void Loop::Impl::SetPollBlocks(bool blocks) {
  if (blocks == poll_blocks) return;
  poll_blocks = blocks;
  // A started idle handle makes libuv poll without blocking.
  if (blocks) {
    uv_idle_stop(&idle);
  } else {
    uv_idle_start(&idle, [](uv_idle_t*) {});
  }
}

void Loop::Impl::RunTasks() {
  const size_t n = tasks.RunAll();
  if (n == 0) return;
  had_event = true;
  Count(counters.tasks, n);
}

void Loop::Impl::FlushOutput() {
  for (int round = 0; round < kFlushRounds && !dirty.empty(); ++round) {
    std::vector<ConnectionImpl*> batch;
    batch.swap(dirty);
    for (ConnectionImpl* connection : batch) connection->FlushDirty();
    if (dirty.empty()) {  // the usual end: keep the memory
      batch.clear();
      dirty.swap(batch);
    }
  }
  if (dirty.empty()) arena.Reset();
}

void Loop::Impl::Leave() {
  // OnClosed of one may close others: they follow in the same pass.
  for (size_t i = 0; i < leaving.size(); ++i) leaving[i]->LeaveLoop();
  leaving.clear();
}

void Loop::Impl::WakeFromOutside() {
  if (!sleeping.load(std::memory_order_seq_cst)) return;
  if (!sleeping.exchange(false, std::memory_order_seq_cst)) return;
  counters.wake_ups.fetch_add(1, std::memory_order_relaxed);
  uv_async_send(&async);
}

void Loop::Impl::CloseLingerers() {
  if (lingering == 0) return;
  const int64_t now = SystemClock().MonotonicNs();
  for (ConnectionImpl* connection : connections) connection->CloseIfLingering(now);
}

void Loop::Impl::Run() {
  current_loop = this;
  uv_run(&uv, UV_RUN_DEFAULT);
  Shutdown();
}

void Loop::Impl::Shutdown() {
  current_loop = this;
  for (auto& [owner, fn] : std::exchange(stop_hooks, {})) fn();
  do {
    RunTasks();
    FlushOutput();
    for (const auto& fn : std::exchange(after_output, {})) fn();
    for (ConnectionImpl* connection : connections) {
      connection->Close(Status(StatusCode::kAborted, "the server is stopping"));
    }
    Leave();
  } while (!connections.empty() || !dirty.empty() || !tasks.SealIfEmpty());
  for (auto* handle :
       {reinterpret_cast<uv_handle_t*>(&async), reinterpret_cast<uv_handle_t*>(&prepare),
        reinterpret_cast<uv_handle_t*>(&check), reinterpret_cast<uv_handle_t*>(&idle)}) {
    uv_close(handle, nullptr);
  }
  for (Timer& timer : timers) uv_close(reinterpret_cast<uv_handle_t*>(&timer.handle), nullptr);
  uv_run(&uv, UV_RUN_DEFAULT);
  KIWI_CHECK(uv_loop_close(&uv) == 0, "a handle was left open on a loop that stops");
  current_loop = nullptr;
}

// --- Loop ---

Loop::Loop(const LoopOptions& options) : impl_(std::make_unique<Impl>(this, options)) {
  AddTimer(kLingerCheckMs, [impl = impl_.get()] { impl->CloseLingerers(); });
}

Loop::~Loop() { Stop(); }

void Loop::SetEndOfIteration(std::function<bool()> hook) { impl_->hook = std::move(hook); }
void Loop::SetContext(std::shared_ptr<void> context) { impl_->context = std::move(context); }
void* Loop::context() const { return impl_->context.get(); }

Status Loop::Start() {
  KIWI_CHECK(!impl_->running && !impl_->stopped, "a loop is started once");
  impl_->running = true;
  try {
    impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
  } catch (const std::system_error& e) {
    impl_->running = false;
    return Status(StatusCode::kUnavailable,
                  "cannot start the thread of loop " + impl_->options.name + ": " + e.what());
  }
  // The kernel keeps 15 bytes of a thread's name.
  pthread_setname_np(impl_->thread.native_handle(), impl_->options.name.substr(0, 15).c_str());
  return Status::Ok();
}

void Loop::Stop() {
  if (impl_->stopped) return;
  KIWI_CHECK(!InLoopThread(), "a loop cannot stop itself");
  impl_->stopped = true;
  if (!impl_->running) {
    impl_->Shutdown();
    return;
  }
  impl_->stop_requested.store(true, std::memory_order_release);
  Wake();
  impl_->thread.join();
  impl_->running = false;
}

bool Loop::running() const { return impl_->running; }

bool Loop::Post(LoopTask* task) {
  if (!impl_->tasks.Push(task)) return false;
  impl_->WakeFromOutside();
  return true;
}

bool Loop::PostFunction(std::function<void()> function) {
  auto task = std::make_unique<FunctionTask>(std::move(function));
  if (!Post(task.get())) return false;
  (void)task.release();  // it deletes itself when run
  return true;
}

void Loop::Wake() {
  impl_->wake_requested.exchange(true, std::memory_order_seq_cst);
  impl_->WakeFromOutside();
}

bool Loop::InLoopThread() const { return current_loop == impl_.get(); }

size_t Loop::connection_count() const {
  return impl_->connection_count.load(std::memory_order_acquire);
}

int64_t Loop::woke_ns() const { return impl_->woke_ns.load(std::memory_order_relaxed); }

void Loop::Hold() { impl_->holds.fetch_add(1, std::memory_order_relaxed); }
void Loop::Release() { impl_->holds.fetch_sub(1, std::memory_order_release); }
size_t Loop::holds() const { return impl_->holds.load(std::memory_order_acquire); }

int64_t Loop::iteration_us() const {
  return impl_->iteration_ns.load(std::memory_order_relaxed) / 1000;
}

int64_t Loop::busy_us() const {
  const int64_t woke = impl_->woke_ns.load(std::memory_order_relaxed);
  return woke == 0 ? 0 : (SystemClock().MonotonicNs() - woke) / 1000;
}

const std::string& Loop::name() const { return impl_->options.name; }

LoopStats Loop::stats() const {
  const Impl::Counters& c = impl_->counters;
  LoopStats s;
  s.iterations = c.iterations.load(std::memory_order_relaxed);
  s.polls_blocking = c.polls_blocking.load(std::memory_order_relaxed);
  s.wake_ups = c.wake_ups.load(std::memory_order_relaxed);
  s.tasks = c.tasks.load(std::memory_order_relaxed);
  s.reads = c.reads.load(std::memory_order_relaxed);
  s.bytes_in = c.bytes_in.load(std::memory_order_relaxed);
  s.flushes = c.flushes.load(std::memory_order_relaxed);
  s.bytes_out = c.bytes_out.load(std::memory_order_relaxed);
  return s;
}

void Loop::AddTimer(int64_t period_ms, std::function<void()> fn) {
  Impl::Timer& timer = impl_->timers.emplace_back();
  timer.fn = std::move(fn);
  uv_timer_init(&impl_->uv, &timer.handle);
  timer.handle.data = &timer;
  const auto period = static_cast<uint64_t>(std::max<int64_t>(1, period_ms));
  uv_timer_start(
      &timer.handle, [](uv_timer_t* h) { static_cast<Impl::Timer*>(h->data)->fn(); }, period,
      period);
}

void Loop::AfterOutput(std::function<void()> fn) { impl_->after_output.push_back(std::move(fn)); }

void Loop::ForEachConnection(const std::function<void(Connection&)>& fn) {
  // Connections leave at the end of the iteration and come in tasks: the list stands still here.
  for (ConnectionImpl* connection : impl_->connections) {
    if (connection->open()) fn(*connection);
  }
}

}  // namespace kiwi::net

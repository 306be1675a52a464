#include "server/urgent.h"

namespace kiwi::server {

using runtime::Priority;

namespace {

constexpr int kTasksBetweenSteps = 4;  // then a step: nobody is starved by weight or by level

thread_local Priority t_level = Priority::kCritical;

}  // namespace

RunningAt::RunningAt(Priority level) : before_(t_level) { t_level = level; }
RunningAt::~RunningAt() { t_level = before_; }

void RunMoreUrgent(runtime::PriorityChannel& channel) {
  for (int i = 0; i < kTasksBetweenSteps; ++i) {
    runtime::Task* const task = channel.TryPopAbove(t_level);
    if (task == nullptr) return;
    task->Run();
  }
}

}  // namespace kiwi::server

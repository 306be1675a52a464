#include "sim/report.h"

#include <algorithm>
#include <cstdio>

namespace kiwi::sim {

void Report::Add(const Report& other) {
#define KIWI_SIM_COUNTER(name, floor) name += other.name;
  KIWI_SIM_COUNTERS(KIWI_SIM_COUNTER)
#undef KIWI_SIM_COUNTER
  simulated_us += other.simulated_us;
  liveness_ticks_max = std::max(liveness_ticks_max, other.liveness_ticks_max);
}

std::string Report::Format(bool floors, bool* met) const {
  std::string out;
  const auto line = [&](const char* name, uint64_t value, uint64_t per_million) {
    const uint64_t floor = events * per_million / 1000000;
    const bool below = floors && value < floor;
    if (below) *met = false;
    char buffer[128];
    std::snprintf(buffer, sizeof(buffer), "%-30s %14llu  floor %10llu%s\n", name,
                  static_cast<unsigned long long>(value), static_cast<unsigned long long>(floor),
                  below ? "  BELOW ITS FLOOR" : "");
    out += buffer;
  };
#define KIWI_SIM_COUNTER(name, floor) line(#name, name, floor);
  KIWI_SIM_COUNTERS(KIWI_SIM_COUNTER)
#undef KIWI_SIM_COUNTER
  line("simulated_seconds", simulated_us / 1000000, 0);
  line("liveness_ticks_max", liveness_ticks_max, 0);
  return out;
}

}  // namespace kiwi::sim

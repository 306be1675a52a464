// kiwi-sim: runs the simulator over many seeds, or replays one.
//   kiwi-sim --seeds N [--from X] [--events N] [--report] [--twice]   N seeds from X (1) on
//   kiwi-sim --seed X [--events N] [--trace] [--twice]                one seed
// With --twice each seed runs twice and must do the same: else no failure could be replayed.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/simulation.h"

namespace {

uint64_t current_seed = 0;
uint64_t events_of_a_run = 5000;
const char* program = "kiwi-sim";  // as it was called

void PrintReplay() {
  std::fprintf(stderr, "replay: %s --seed %llu --events %llu --trace\n", program,
               static_cast<unsigned long long>(current_seed),
               static_cast<unsigned long long>(events_of_a_run));
}

void OnAbort(int) {
  PrintReplay();
  std::_Exit(1);
}

bool RunSeed(uint64_t seed, bool trace, bool twice, kiwi::sim::Report* total) {
  current_seed = seed;
  kiwi::sim::Simulation simulation(seed, events_of_a_run, trace);
  try {
    simulation.Run();
    if (twice) {
      kiwi::sim::Simulation again(seed, events_of_a_run, false);
      again.Run();
      if (again.report() != simulation.report() || again.Describe() != simulation.Describe()) {
        throw kiwi::sim::Violation("the same seed does something else the second time");
      }
    }
  } catch (const kiwi::sim::Violation& violation) {
    std::fprintf(stderr, "seed %llu at %.3f ms: %s\n", static_cast<unsigned long long>(seed),
                 static_cast<double>(simulation.now()) / 1000, violation.what());
    if (trace) std::fputs(simulation.Describe().c_str(), stderr);
    PrintReplay();
    return false;
  }
  total->Add(simulation.report());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 100;
  uint64_t from = 1;
  uint64_t one = 0;
  bool trace = false;
  bool report = false;
  bool twice = false;
  program = argv[0];
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], nullptr, 10) : 0;
    if (arg == "--trace") {
      trace = true;
    } else if (arg == "--report") {
      report = true;
    } else if (arg == "--twice") {
      twice = true;
    } else if (value == 0) {
      std::fprintf(stderr,
                   "usage: kiwi-sim --seeds N [--from X] [--events N] [--report] [--twice]\n"
                   "       kiwi-sim --seed X [--events N] [--trace] [--twice]\n");
      return 2;
    } else {
      ++i;
      if (arg == "--seeds") seeds = value;
      if (arg == "--from") from = value;
      if (arg == "--seed") one = value;
      if (arg == "--events") events_of_a_run = value;
    }
  }
  std::signal(SIGABRT, OnAbort);
  std::signal(SIGSEGV, OnAbort);
  if (one != 0) {
    from = one;
    seeds = 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  kiwi::sim::Report total;
  uint64_t failed = 0;
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    if (!RunSeed(seed, trace, twice, &total) && ++failed >= 10) break;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  // Few events say little about how often something rare happens.
  bool met = true;
  const std::string text = total.Format(total.events >= 2000000, &met);
  if (report) std::fputs(text.c_str(), stdout);
  std::printf(
      "%llu seeds, %llu events, %llu failed, %.1f s: %.0f simulated seconds a second, "
      "%.0f events a second\n",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(total.events),
      static_cast<unsigned long long>(failed), seconds,
      static_cast<double>(total.simulated_us) / 1e6 / seconds,
      static_cast<double>(total.events) / seconds);
  if (!met) std::fprintf(stderr, "some counters are below their floors\n");
  return failed == 0 && met ? 0 : 1;
}

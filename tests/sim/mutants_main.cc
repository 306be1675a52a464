// kiwi-sim-mutants: switches on one deliberate bug of raft/core/mutants.h after the other and looks
// for it with the stories and with the simulator. A bug that nothing finds means that a fault or a
// checker is missing: the program then fails.
//   kiwi-sim-mutants [--seeds N] [--only name]
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "raft/core/mutants.h"
#include "sim/simulation.h"
#include "unit/raft/core/script.h"

namespace {

using kiwi::raft::Mutant;

struct Row {
  Mutant mutant;
  const char* name;
  const char* what;
};

constexpr Row kRows[] = {
#define KIWI_RAFT_MUTANT_ROW(name, what) {Mutant::name, #name, what},
    KIWI_RAFT_MUTANTS(KIWI_RAFT_MUTANT_ROW)
#undef KIWI_RAFT_MUTANT_ROW
};

// What a child writes to its pipe: who noticed.
struct Verdict {
  char story[48] = "";
  uint64_t seed = 0;
  char told[160] = "";      // by the story
  char violated[160] = "";  // in the simulator
};

template <size_t N>
void Copy(const std::string& from, char (*to)[N]) {
  std::snprintf(*to, N, "%s", from.c_str());
}

// In a child: a mutant may well end the process.
void Hunt(Mutant mutant, uint64_t seeds, int pipe) {
  Verdict verdict;
  const auto tell = [&] {
    if (write(pipe, &verdict, sizeof(verdict)) < 0) std::_Exit(2);
  };
  kiwi::raft::active_mutant = mutant;
  for (const std::string& story : kiwi::raft::Stories()) {
    const std::string failure = kiwi::raft::RunStory(story);
    if (failure.empty()) continue;
    Copy(kiwi::raft::StoryName(story), &verdict.story);
    Copy(failure, &verdict.told);
    tell();
    break;
  }
  for (verdict.seed = 1; verdict.seed <= seeds; ++verdict.seed) {
    Copy("the process ended", &verdict.violated);
    tell();  // should the next run end the process
    kiwi::sim::Simulation simulation(verdict.seed, 5000, false);
    try {
      alarm(20);  // an endless loop is a finding as well
      simulation.Run();
    } catch (const std::exception& violation) {
      Copy(violation.what(), &verdict.violated);
      tell();
      return;
    }
  }
  verdict.seed = 0;
  verdict.violated[0] = 0;
  tell();
}

Verdict HuntInChild(Mutant mutant, uint64_t seeds) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(2);
    Hunt(mutant, seeds, ends[1]);
    std::_Exit(0);
  }
  close(ends[1]);
  Verdict last;
  for (Verdict next; read(ends[0], &next, sizeof(next)) == sizeof(next);) last = next;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return last;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 1000;
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--only") == 0) only = argv[i + 1];
  }
  int survivors = 0;
  std::printf("%-26s %-34s %5s  %s\n", "mutant", "story", "seed", "what was violated");
  for (const Row& row : kRows) {
    if (!only.empty() && only != row.name) continue;
    const Verdict verdict = HuntInChild(row.mutant, seeds);
    const bool found = verdict.story[0] != 0 || verdict.seed != 0;
    survivors += !found;
    std::printf("%-26s %-34s %5llu  %s\n", row.name, verdict.story[0] != 0 ? verdict.story : "-",
                static_cast<unsigned long long>(verdict.seed),
                !found              ? "SURVIVES"
                : verdict.seed != 0 ? verdict.violated
                                    : verdict.told);
  }
  std::printf("%d of %zu survive (%s)\n", survivors, only.empty() ? std::size(kRows) : 1,
              survivors == 0 ? "all found" : "the tests want another fault or checker");
  return survivors == 0 ? 0 : 1;
}

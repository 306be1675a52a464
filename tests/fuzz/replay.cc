// main() for a fuzz target without libFuzzer: replays the corpus folder given, then a bounded
// number of mutations of it from a fixed seed, so that each run of the tests is the same.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutations = 20000;

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::string Mutate(std::string input, std::mt19937* random) {
  const int edits = 1 + static_cast<int>((*random)() % 4);
  for (int i = 0; i < edits; ++i) {
    const size_t at = input.empty() ? 0 : (*random)() % input.size();
    switch ((*random)() % 4) {
      case 0:
        input.insert(at, 1, static_cast<char>((*random)()));
        break;
      case 1:
        if (!input.empty()) input[at] = static_cast<char>((*random)());
        break;
      case 2:
        if (!input.empty()) input.erase(at, 1 + (*random)() % 8);
        break;
      default:
        input.insert(at, input.substr(at / 2, (*random)() % 16));
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> corpus = {"", "*1\r\n$4\r\nPING\r\n"};
  if (argc > 1 && std::filesystem::is_directory(argv[1])) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      std::ifstream file(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  for (const std::string& input : corpus) Run(input);
  std::mt19937 random(1);  // NOLINT: the same inputs on every run
  for (int i = 0; i < kMutations; ++i) Run(Mutate(corpus[random() % corpus.size()], &random));
  std::printf("%zu inputs and %d mutations\n", corpus.size(), kMutations);
  return 0;
}

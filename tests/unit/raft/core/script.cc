#include "unit/raft/core/script.h"
namespace kiwi::raft {
std::vector<std::string> Stories() { return {}; }
std::string StoryName(const std::string& path) { return path; }
std::string RunStory(const std::string&) { return {}; }
}

// Stories: scripts that play a cluster through one situation, step by step, and say what must be
// so afterwards. The language is described in stories/README.md.
#pragma once

#include <string>
#include <vector>

namespace kiwi::raft {

// The paths of all stories, sorted.
std::vector<std::string> Stories();
// The file's name without folder and ending.
std::string StoryName(const std::string& path);
// Empty when everything was as the story says; else the line and the difference.
std::string RunStory(const std::string& path);

}  // namespace kiwi::raft

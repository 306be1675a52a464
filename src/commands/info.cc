#include "commands/info.h"

#include <array>

#include "commands/args.h"
#include "commands/info_sections.h"
#include "commands/info_writer.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

struct InfoSection {
  std::string_view name;
  uint32_t needs;
  bool by_default;
  void (*write)(const InfoFigures&, InfoWriter&);
};

// In the order of their appearance.
constexpr std::array<InfoSection, 15> kSections = {{
    {"server", kNeedBasics, true, WriteServerSection},
    {"clients", kNeedBasics, true, WriteClientsSection},
    {"memory", kNeedBasics, true, WriteMemorySection},
    {"persistence", kNeedBasics, true, WritePersistenceSection},
    {"stats", kNeedBasics, true, WriteStatsSection},
    {"replication", kNeedBasics, true, WriteReplicationSection},
    {"cpu", kNeedBasics, true, WriteCpuSection},
    {"modules", 0, true, WriteModulesSection},
    {"commandstats", kNeedCommands, false, WriteCommandstatsSection},
    {"errorstats", kNeedErrors, true, WriteErrorstatsSection},
    {"latencystats", kNeedLatencies, false, WriteLatencystatsSection},
    {"cluster", kNeedBasics, true, WriteClusterSection},
    {"keyspace", kNeedDatabases, true, WriteKeyspaceSection},
    {"runtime", kNeedRuntime, true, WriteRuntimeSection},
    {"raft", kNeedRaft, true, WriteRaftSection},
}};

constexpr uint32_t kAllSections = (1u << kSections.size()) - 1;

constexpr uint32_t DefaultSections() {
  uint32_t sections = 0;
  for (size_t i = 0; i < kSections.size(); ++i) {
    if (kSections[i].by_default) sections |= 1u << i;
  }
  return sections;
}

void Info(Context& ctx) {
  const uint32_t sections = SelectInfoSections(ctx.args.subspan(1));
  InfoFigures figures;
  ctx.server->CollectInfo(InfoNeeds(sections), &figures);
  ctx.reply.Verbatim(FormatInfo(sections, figures));
}

constexpr CommandRow kRows[] = {
    {.name = "info",
     .handler = Info,
     .arity = -1,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .categories = kCatDangerous,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the server's figures as text.",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
};

}  // namespace

uint32_t SelectInfoSections(Args names) {
  if (names.empty()) return DefaultSections();
  uint32_t sections = 0;
  for (const std::string_view name : names) {
    if (EqualsIgnoreCase(name, "default")) {
      sections |= DefaultSections();
    } else if (EqualsIgnoreCase(name, "all") || EqualsIgnoreCase(name, "everything")) {
      sections |= kAllSections;
    }
    for (size_t i = 0; i < kSections.size(); ++i) {
      if (EqualsIgnoreCase(name, kSections[i].name)) sections |= 1u << i;
    }
  }
  return sections;
}

uint32_t InfoNeeds(uint32_t sections) {
  uint32_t needs = 0;
  for (size_t i = 0; i < kSections.size(); ++i) {
    if (sections & (1u << i)) needs |= kSections[i].needs;
  }
  return needs;
}

std::string FormatInfo(uint32_t sections, const InfoFigures& figures) {
  InfoWriter out;
  for (size_t i = 0; i < kSections.size(); ++i) {
    if (sections & (1u << i)) kSections[i].write(figures, out);
  }
  return out.Take();
}

std::span<const CommandRow> InfoCommands() { return kRows; }

}  // namespace kiwi::commands

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
  enum class Shown : uint8_t { kByDefault, kWithAll, kByName } shown;
  void (*write)(const InfoFigures&, InfoWriter&);
};

constexpr auto kByDefault = InfoSection::Shown::kByDefault;
constexpr auto kWithAll = InfoSection::Shown::kWithAll;
constexpr auto kByName = InfoSection::Shown::kByName;

// In the order of their appearance.
constexpr std::array<InfoSection, 16> kSections = {{
    {"server", kNeedBasics, kByDefault, WriteServerSection},
    {"clients", kNeedBasics, kByDefault, WriteClientsSection},
    {"memory", kNeedBasics, kByDefault, WriteMemorySection},
    {"persistence", kNeedBasics, kByDefault, WritePersistenceSection},
    {"stats", kNeedBasics, kByDefault, WriteStatsSection},
    {"replication", kNeedBasics, kByDefault, WriteReplicationSection},
    {"cpu", kNeedBasics, kByDefault, WriteCpuSection},
    {"modules", 0, kByDefault, WriteModulesSection},
    {"commandstats", kNeedCommands, kWithAll, WriteCommandstatsSection},
    {"errorstats", kNeedErrors, kByDefault, WriteErrorstatsSection},
    {"latencystats", kNeedLatencies, kWithAll, WriteLatencystatsSection},
    {"cluster", kNeedBasics, kByDefault, WriteClusterSection},
    {"keyspace", kNeedDatabases, kByDefault, WriteKeyspaceSection},
    {"runtime", kNeedRuntime, kByDefault, WriteRuntimeSection},
    {"raft", kNeedRaft, kByDefault, WriteRaftSection},
    {"history", kNeedHistory, kByName, WriteHistorySection},
}};

constexpr uint32_t SectionsShown(InfoSection::Shown least) {
  uint32_t sections = 0;
  for (size_t i = 0; i < kSections.size(); ++i) {
    if (kSections[i].shown <= least) sections |= 1u << i;
  }
  return sections;
}

constexpr uint32_t DefaultSections() { return SectionsShown(kByDefault); }

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
      sections |= SectionsShown(kWithAll);
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

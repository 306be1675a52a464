#include "commands/command_names.h"

#include <utility>

#include "commands/args.h"

namespace kiwi::commands {
namespace {

using Named = std::pair<uint32_t, std::string_view>;

constexpr Named kFlagNames[] = {
    {kWrite, "write"},
    {kReadOnly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubsub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kMayReplicate, "may_replicate"},
    {kSentinel, "sentinel"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

constexpr Named kKeyFlagNames[] = {
    {kKeyRO, "RO"},
    {kKeyRW, "RW"},
    {kKeyOW, "OW"},
    {kKeyRM, "RM"},
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyNotKey, "not_key"},
    {kKeyIncomplete, "incomplete"},
    {kKeyVariableFlags, "variable_flags"},
};

constexpr Named kCategoryNames[] = {
    {kCatKeyspace, "keyspace"},
    {kCatRead, "read"},
    {kCatWrite, "write"},
    {kCatSet, "set"},
    {kCatSortedSet, "sortedset"},
    {kCatList, "list"},
    {kCatHash, "hash"},
    {kCatString, "string"},
    {kCatBitmap, "bitmap"},
    {kCatHyperloglog, "hyperloglog"},
    {kCatGeo, "geo"},
    {kCatStream, "stream"},
    {kCatPubsub, "pubsub"},
    {kCatAdmin, "admin"},
    {kCatFast, "fast"},
    {kCatSlow, "slow"},
    {kCatBlocking, "blocking"},
    {kCatDangerous, "dangerous"},
    {kCatConnection, "connection"},
    {kCatTransaction, "transaction"},
    {kCatScripting, "scripting"},
};

std::vector<std::string_view> NamesOf(uint32_t bits, std::span<const Named> names) {
  std::vector<std::string_view> result;
  for (const auto& [bit, name] : names) {
    if (bits & bit) result.push_back(name);
  }
  return result;
}

}  // namespace

std::vector<std::string_view> FlagNames(const CommandRow& row) {
  return NamesOf(row.flags, kFlagNames);
}

std::vector<std::string_view> KeyFlagNames(uint16_t key_flags) {
  return NamesOf(key_flags, kKeyFlagNames);
}

std::vector<std::string_view> CategoryNames(uint32_t categories) {
  return NamesOf(categories, kCategoryNames);
}

std::optional<Category> CategoryByName(std::string_view name) {
  for (const auto& [bit, category] : kCategoryNames) {
    if (EqualsIgnoreCase(name, category)) return static_cast<Category>(bit);
  }
  return std::nullopt;
}

std::string_view GroupName(Group group) {
  switch (group) {
    case Group::kGeneric:
      return "generic";
    case Group::kString:
      return "string";
    case Group::kList:
      return "list";
    case Group::kSet:
      return "set";
    case Group::kSortedSet:
      return "sorted-set";
    case Group::kHash:
      return "hash";
    case Group::kPubsub:
      return "pubsub";
    case Group::kTransactions:
      return "transactions";
    case Group::kConnection:
      return "connection";
    case Group::kServer:
      return "server";
    case Group::kScripting:
      return "scripting";
    case Group::kHyperloglog:
      return "hyperloglog";
    case Group::kCluster:
      return "cluster";
    case Group::kGeo:
      return "geo";
    case Group::kStream:
      return "stream";
    case Group::kBitmap:
      return "bitmap";
    case Group::kRaft:
      return "raft";
  }
  return "generic";
}

}  // namespace kiwi::commands

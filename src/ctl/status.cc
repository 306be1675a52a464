#include "ctl/status.h"

#include <algorithm>
#include <vector>

namespace kiwi::ctl {
namespace {

using Row = std::vector<std::string>;

std::string Table(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string Pairs(const Value& map) {
  std::vector<Row> rows;
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
    rows.push_back({map.items[i].text, map.items[i + 1].text});
  }
  return rows.empty() ? "" : Table(rows);
}

// -1: not known.
std::string Known(const Value& number) { return number.text == "-1" ? "-" : number.text; }

std::string OrDash(const Value& value) { return value.text.empty() ? "-" : value.text; }

}  // namespace

std::string DescribeGroup(const Value& status) {
  const std::string leader = status["leader_id"].text;
  std::string text = "group " + status["cluster_id"].text + ", term " + status["term"].text + ", " +
                     (leader == "0" ? "no leader" : "leader " + leader) + ", committed " +
                     status["commit_index"].text + "; seen by node " + status["node_id"].text +
                     "\n";
  std::vector<Row> rows = {
      {"node", "role", "raft", "clients", "state", "match", "lag", "lag ms", "contact ms"}};
  for (const Value& member : status["members"].items) {
    rows.push_back({member["id"].text, member["role"].text, OrDash(member["address"]),
                    OrDash(member["client_address"]), OrDash(member["state"]),
                    Known(member["match"]), Known(member["lag_entries"]), Known(member["lag_ms"]),
                    Known(member["last_contact_ms"])});
  }
  text += Table(rows);
  for (const Value& snapshot : status["snapshots"].items) {
    text += "snapshot " + snapshot["direction"].text + ", node " + snapshot["peer"].text + ": " +
            snapshot["bytes_done"].text + " of about " + snapshot["bytes_estimated"].text +
            " bytes\n";
  }
  if (const std::string error = status["storage_error"].text; !error.empty()) {
    text += "storage error: " + error + "\n";
  }
  return text;
}

std::string Describe(const Value& value, bool maps) {
  if (!value.list) return value.text + "\n";
  const bool flat = std::none_of(value.items.begin(), value.items.end(),
                                 [](const Value& item) { return item.list; });
  if (maps && flat) return Pairs(value);
  std::string text;
  for (const Value& item : value.items) {
    if (maps && !text.empty()) text += "\n";
    text += Describe(item, maps);
  }
  return text;
}

}  // namespace kiwi::ctl

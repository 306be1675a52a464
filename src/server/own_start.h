// What a lone node writes into its log by itself, before any client has written.
#pragma once

#include "base/status.h"
#include "raft/core/storage.h"

namespace kiwi::server {

// Whether the log holds that and nothing else. kInvalidArgument: there is more, or was: entries are
// gone behind a checkpoint. Reads no further than to the first entry of a client.
Status CheckOnlyOwnStart(const raft::LogReader& log);

}  // namespace kiwi::server

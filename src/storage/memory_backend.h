// An ordered map in memory with versions, so that snapshots and iterators are consistent: for tests
// and for a node that need not survive its process. Sync() and Flush() do nothing.
#pragma once

#include <memory>

#include "base/status.h"
#include "storage/backend.h"
#include "storage/backend_options.h"

namespace kiwi::storage {

Result<std::unique_ptr<Backend>> OpenMemory(const BackendOptions& options);

}  // namespace kiwi::storage

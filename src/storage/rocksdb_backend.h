// RocksDB 7.8 under the contract of backend.h. Opened through factory.h.
#pragma once

#include <memory>

#include "base/status.h"
#include "storage/backend.h"
#include "storage/backend_options.h"

namespace kiwi::storage {

Result<std::unique_ptr<Backend>> OpenRocksDb(const BackendOptions& options);

}  // namespace kiwi::storage

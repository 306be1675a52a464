// LevelDB 1.23 under the contract of backend.h. Opened through factory.h.
#pragma once

#include <memory>

#include "base/status.h"
#include "storage/backend.h"
#include "storage/backend_options.h"

namespace kiwi::storage {

Result<std::unique_ptr<Backend>> OpenLevelDb(const BackendOptions& options);

}  // namespace kiwi::storage

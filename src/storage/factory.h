// Opens a backend by its name: the only way in for all who use one.
#pragma once

#include <memory>

#include "base/status.h"
#include "storage/backend.h"
#include "storage/backend_options.h"

namespace kiwi::storage {

// kConfig: no such backend. kBusy: another process, or another instance in this one, has the
// directory open. kCorruption: damage, named; nothing was changed. kIo, kNoSpace: the disk refused.
Result<std::unique_ptr<Backend>> OpenBackend(const BackendOptions& options);

}  // namespace kiwi::storage

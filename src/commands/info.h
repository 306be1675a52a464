// INFO's text, for the command and for whoever else wants it (the log at a crash, tests).
#pragma once

#include <string>

#include "commands/command.h"
#include "commands/info_figures.h"

namespace kiwi::commands {

// Which sections the names ask for: none means the default ones; "all", "everything", "default" and
// names of sections in any case; others are passed over.
uint32_t SelectInfoSections(Args names);
// The InfoNeeds of the sections, and their text in a fixed order.
uint32_t InfoNeeds(uint32_t sections);
std::string FormatInfo(uint32_t sections, const InfoFigures& figures);

}  // namespace kiwi::commands

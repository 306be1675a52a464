// The sections of INFO, each made of figures (info.cc chooses which are shown).
#pragma once

#include "commands/info_figures.h"
#include "commands/info_writer.h"

namespace kiwi::commands {

void WriteServerSection(const InfoFigures& figures, InfoWriter& out);
void WriteClientsSection(const InfoFigures& figures, InfoWriter& out);
void WriteMemorySection(const InfoFigures& figures, InfoWriter& out);
void WritePersistenceSection(const InfoFigures& figures, InfoWriter& out);
void WriteStatsSection(const InfoFigures& figures, InfoWriter& out);
void WriteReplicationSection(const InfoFigures& figures, InfoWriter& out);
void WriteCpuSection(const InfoFigures& figures, InfoWriter& out);
void WriteModulesSection(const InfoFigures& figures, InfoWriter& out);
void WriteCommandstatsSection(const InfoFigures& figures, InfoWriter& out);
void WriteErrorstatsSection(const InfoFigures& figures, InfoWriter& out);
void WriteLatencystatsSection(const InfoFigures& figures, InfoWriter& out);
void WriteClusterSection(const InfoFigures& figures, InfoWriter& out);
void WriteKeyspaceSection(const InfoFigures& figures, InfoWriter& out);
void WriteRuntimeSection(const InfoFigures& figures, InfoWriter& out);
void WriteRaftSection(const InfoFigures& figures, InfoWriter& out);
void WriteHistorySection(const InfoFigures& figures, InfoWriter& out);

// a / b, and 0 where that makes no sense.
double Ratio(uint64_t a, uint64_t b);

}  // namespace kiwi::commands

#include "commands/redact.h"

#include <array>

#include "commands/args.h"

namespace kiwi::commands {
namespace {

constexpr std::string_view kRedacted = "(redacted)";
constexpr std::array<std::string_view, 9> kSecretOptions = {"requirepass",
                                                            "masterauth",
                                                            "masteruser",
                                                            "tls-key-file-pass",
                                                            "tls-client-key-file-pass",
                                                            "metrics.password",
                                                            "password",
                                                            "metrics.token",
                                                            "token"};

bool IsSecretOption(std::string_view name) {
  for (const std::string_view option : kSecretOptions) {
    if (EqualsIgnoreCase(name, option)) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string_view> RedactedArgs(const Command& command, Args args) {
  std::vector<std::string_view> shown(args.begin(), args.end());
  if (command.full_name == "auth") {
    for (size_t i = 1; i < shown.size(); ++i) shown[i] = kRedacted;
  } else if (command.full_name == "hello") {
    for (size_t i = 2; i + 2 < shown.size(); ++i) {
      if (EqualsIgnoreCase(shown[i], "auth")) shown[i + 1] = shown[i + 2] = kRedacted;
    }
  } else if (command.full_name == "config|set") {
    for (size_t i = 2; i + 1 < shown.size(); i += 2) {
      if (IsSecretOption(shown[i])) shown[i + 1] = kRedacted;
    }
  }
  return shown;
}

}  // namespace kiwi::commands

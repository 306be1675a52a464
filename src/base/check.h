// Assertions for programmer errors and for states in which going on could lose data.
#pragma once

namespace kiwi {

// Prints "file:line: check failed: <expr>: <message>" to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expr, const char* message);

}  // namespace kiwi

// Always on: use where going on could lose or corrupt data.
#define KIWI_CHECK(cond, message)                              \
  do {                                                         \
    if (!(cond)) [[unlikely]]                                  \
      ::kiwi::CheckFailed(__FILE__, __LINE__, #cond, message); \
  } while (false)

// Debug builds only: use on hot paths.
#ifdef NDEBUG
#define KIWI_DCHECK(cond, message) \
  do {                             \
    if (false) (void)(cond);       \
  } while (false)
#else
#define KIWI_DCHECK(cond, message) KIWI_CHECK(cond, message)
#endif

// A connection as commands see it. The session implements it; a handler uses it only during its
// call and on the thread that executes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "commands/client_info.h"

namespace kiwi::commands {

enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext };

class SessionView {
 public:
  virtual ~SessionView() = default;

  virtual uint64_t id() const = 0;
  // This connection's line of CLIENT LIST, now.
  virtual ClientInfo Describe() const = 0;

  virtual int db() const = 0;
  virtual void SetDb(int index) = 0;  // checked by the caller; takes effect with the next command

  virtual std::string_view name() const = 0;
  virtual void SetName(std::string_view name) = 0;  // empty: none
  virtual void SetLibraryName(std::string_view name) = 0;
  virtual void SetLibraryVersion(std::string_view version) = 0;

  virtual int resp_version() const = 0;
  // From the reply of the executing command on; the handler tells its writer as well.
  virtual void SetRespVersion(int version) = 0;

  virtual bool authenticated() const = 0;
  virtual void SetAuthenticated(bool authenticated) = 0;
  virtual std::string_view user() const = 0;

  // Of what follows on this connection. kOff and kSkipNext hold for the next command on: the reply
  // of the executing command is dropped as well, unless the mode is kOn.
  virtual void SetReplyMode(ReplyMode mode) = 0;
  virtual ClientPriority priority() const = 0;
  virtual void SetPriority(ClientPriority priority) = 0;
  virtual void SetNoEvict(bool on) = 0;

  // READONLY: a node that does not lead answers this connection's reads by itself.
  virtual void SetReadOnly(bool on) = 0;
  virtual ReadConsistency consistency() const = 0;
  virtual void SetConsistency(ReadConsistency consistency) = 0;
  // Where in the log the connection's last write is; 0: it has written nothing.
  virtual uint64_t last_write() const = 0;

  // Closes the connection once the replies up to this one have left.
  virtual void CloseAfterReply() = 0;
  // RESET: forgets MULTI, WATCH, name, reply mode, priority and consistency; database 0, RESP2, and
  // the authentication of a new connection.
  virtual void Reset() = 0;
  virtual bool in_transaction() const = 0;  // between MULTI and EXEC, or executing one
};

}  // namespace kiwi::commands

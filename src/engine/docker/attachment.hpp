#pragma once

#include "engine/docker/api.hpp"

#include <memory>
#include <string>

namespace gantry::engine::docker {

// A connection that the daemon has turned into the raw streams of a process.
struct RawStream {
    std::unique_ptr<Connection> connection;
    std::string already_read;
    bool tty = false;
    std::string resize_path; // "/containers/x/resize"
};

// `exchange` after a request with `upgrade`.
RawStream take_stream(Exchange& exchange, bool tty, std::string resize_path);

std::unique_ptr<Attachment> make_attachment(std::shared_ptr<Api> api, RawStream stream);
std::unique_ptr<ExecSession> make_exec_session(std::shared_ptr<Api> api, RawStream stream, std::string exec_id);

} // namespace gantry::engine::docker

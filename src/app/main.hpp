#pragma once

namespace gantry::app {

// The whole program: parses the arguments, runs one command, returns the exit code of docs/exit-codes.md. Never throws.
int run_main(int argc, char** argv);

} // namespace gantry::app

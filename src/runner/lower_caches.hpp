#pragma once

#include "pipeline/plan.hpp"
#include "pipeline/scope.hpp"

#include <string>
#include <vector>

namespace gantry::runner {

// One cache of a stage, with every expression computed.
struct CacheRequest {
    std::string name;
    std::string target;   // in every container of the stage; absolute
    std::string key;
    std::vector<std::string> fallback_keys; // beginnings of keys, the best first
    std::string branch;   // of a private one: it is kept for each branch, or tag, apart
    bool is_locked = false; // one stage at a time
    bool pulls = true;
    bool pushes = true;   // never for events that are not trusted
};

// The caches of a stage, in the order of the file. Throws bad_input: an expression cannot be computed, a key that is empty, too
// long or no text, a path that is not for us.
std::vector<CacheRequest> lower_caches(const pipeline::Plan& plan, const pipeline::PlanStage& stage,
                                       const pipeline::RuntimeFacts& facts);

} // namespace gantry::runner

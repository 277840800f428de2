#pragma once

#include "runner/service_images.hpp"
#include "runner/service_runner.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::runner {

// The services of one stage: they come up side by side, as far as `depends_on` lets them, and go in reverse.
class Services {
public:
    struct Request {
        const pipeline::Plan* plan = nullptr;
        const pipeline::PlanStage* stage = nullptr;
        Owner owner; // of the stage
        pipeline::RuntimeFacts facts;
        Consent consent;
        std::string network;                 // of the stage
        engine::Mount workspace;             // of the stage: where their `files` come from
        std::map<std::string, int> attempts; // the last of each service (by service_key()) in an earlier process
        std::function<engine::PullPolicy(const pipeline::Container&)> pull;
        // Builds the image of a service that has a build; `owner` is that service's. Throws ServiceFailure.
        std::function<awaitable<std::string>(const pipeline::Service&, const Owner& owner)> build;
        std::chrono::nanoseconds grace = std::chrono::seconds(10);
        // One that had been ready went away, after start() has returned.
        std::function<void(const ServiceFailure&)> on_lost;
    };
    Services(const ServiceRunner::Parts& parts, Request request);

    // Returns when all are ready, and those that a step depends on to end have ended. Throws the first ServiceFailure; the
    // others are given up then. Once; cancellable.
    awaitable<void> start();
    // Ends and removes those that were made. Once; throws nothing.
    awaitable<void> stop();
    // Their containers, by name.
    const std::map<std::string, std::string>& containers() const { return containers_; }
    // What expressions may read of them once start() has returned, by name.
    std::map<std::string, pipeline::RuntimeFacts::Step> facts() const;
    // No grace, if stop() runs or comes.
    void hurry();

private:
    struct Entry {
        const pipeline::Service* service = nullptr;
        std::shared_ptr<ServiceRunner> runner;
        bool has_to_end = false;                 // somebody waits for its success
        std::vector<pipeline::Dependency> needs; // depends_on, links, and whose network or volumes it shares
        int level = 0;                           // above all of these
        std::string waited_for_by;               // a step that needs it healthy, not just running; empty: none
    };

    awaitable<void> create_carrier_if_needed();
    awaitable<void> bring_up(Entry& entry);
    awaitable<std::string> build(const pipeline::Service& service);
    awaitable<void> wait_for(const pipeline::Service& who, const pipeline::Dependency& dependency);
    awaitable<void> watch_health();
    awaitable<void> ask_health();
    Entry* find(const std::string& name);
    void order();
    void note_what_steps_need();

    ServiceRunner::Parts parts_;
    Request request_;
    ServiceImages images_;
    std::vector<Entry> entries_;
    std::map<std::string, std::string> containers_;
    TaskGroup watching_;
    std::optional<ServiceFailure> failure_;
    std::string carrier_; // has the workspace; empty: nobody wants a file of it
    bool up_ = false;
};

} // namespace gantry::runner

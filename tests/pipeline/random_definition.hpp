#pragma once

#include "pipeline/random_pieces.hpp"

// Definitions that a file could say, with texts that are hard to print. Equal seeds give equal definitions.

namespace gantry::pipeline {

class RandomDefinition : RandomPieces {
public:
    explicit RandomDefinition(std::uint32_t seed) : RandomPieces(seed) {}

    Definition definition()
    {
        Definition made;
        made.name = chance(50) ? word() : "";
        made.on = triggers();
        maybe(made.concurrency, [&] { return concurrency(); });
        maybe(made.timeout, [&] { return time_limit(); });
        made.env = variables();
        made.defaults.container = container(false, false);
        maybe(made.defaults.shell, [&] { return words(); });
        maybe(made.defaults.retry, [&] { return retry(); });
        maybe(made.defaults.timeout, [&] { return time_limit(); });
        for (const auto& [name, driver] : pairs([&] { return word(); }, [&] { return word(); }))
            made.volumes.push_back(volume(name, driver));
        for (const auto& [name, driver] : pairs([&] { return word(); }, [&] { return word(); }))
            made.networks.push_back(network(name, driver));
        for (int i = 1 + below(3); i > 0; --i)
            made.stages.push_back(stage());
        return made;
    }

private:
    template <class T, class Make> void maybe(std::optional<T>& member, Make make, int percent = 30)
    {
        if (chance(percent))
            member = make();
    }

    Triggers triggers()
    {
        Triggers on;
        on.declared = chance(60);
        if (!on.declared)
            return on;
        maybe(on.push, [&] { return PushTrigger{words(), words(), {words()}}; });
        maybe(on.pull_request, [&] { return PullRequestTrigger{words(), {words()}}; });
        on.schedule = list([&] { return ScheduleTrigger{"0 3 * * 1-5", chance(50) ? "UTC" : "Europe/Berlin", {}}; });
        on.manual = chance(50);
        if (on.manual)
            on.inputs = pairs([&] { return word(); }, [&] { return input(); });
        return on;
    }

    Input input()
    {
        Input made;
        made.type = static_cast<Input::Type>(below(4));
        made.description = text();
        made.required = chance(50);
        if (made.type == Input::Type::choice)
            made.options = {word(), "z"};
        if (chance(50))
            made.default_value = made.type == Input::Type::choice    ? "z"
                                 : made.type == Input::Type::boolean ? "true"
                                 : made.type == Input::Type::number  ? "1.5"
                                                                     : text();
        return made;
    }

    // What exists already says no more than its name.
    template <class Declaration> Declaration external(const std::string& name)
    {
        Declaration made;
        made.name = name;
        made.external = true;
        made.external_name = chance(30) ? word() : "";
        return made;
    }

    VolumeDeclaration volume(const std::string& name, const std::string& driver)
    {
        if (chance(20))
            return external<VolumeDeclaration>(name);
        return {name, "", chance(50) ? driver : "", options(), options(), false, scope(), {}};
    }

    NetworkDeclaration network(const std::string& name, const std::string& driver)
    {
        if (chance(20))
            return external<NetworkDeclaration>(name);
        NetworkDeclaration made{name, "", driver, options(), options(), chance(50), chance(50), false, chance(50), {}, scope(), {}};
        static const char* const subnets[] = {"10.8.0.0/24", "0.0.0.0/0", "fd00::1/64", "::/128"};
        static const char* const gateways[] = {"10.8.0.1", "::1", ""};
        made.ipam = list([&] { return NetworkDeclaration::Subnet{pick(subnets), pick(gateways), chance(50) ? pick(subnets) : ""}; });
        return made;
    }

    DeclarationScope scope() { return chance(30) ? DeclarationScope::stage : DeclarationScope::run; }

    Concurrency concurrency() { return {filled(), 1 + below(5), chance(50), {}}; }

    Retry retry()
    {
        static const char* const causes[] = {"always", "infra", "failure", "timeout", "oom"};
        Retry made{below(100), list([&] { return std::string(pick(causes)); }), list([&] { return below(256); }), {}, {}};
        made.backoff = chance(50) ? duration() : Duration(0);
        return made;
    }

    std::vector<Text> filled_list()
    {
        return list([&] { return filled(); });
    }

    std::vector<Text> images()
    {
        return list([&] { return image(); });
    }

    Text computed() { return Text(std::vector<Text::Part>{{false, word(), {}}, {true, "matrix.go", {}}}); }

    Build build()
    {
        Build made;
        static const char* const contexts[] = {".", "a b", "./#x/..", "null", "1.10", "/workspace/: a"};
        static const char* const dockerfiles[] = {"Dockerfile", "- a", "true", "~", "/workspace/\"q\""};
        static const char* const networks[] = {"default", "none", "host"};
        if (chance(50))
            made.context = chance(50) ? Text(pick(contexts)) : computed();
        if (chance(50))
            made.dockerfile = chance(50) ? Text(pick(dockerfiles)) : computed();
        else
            maybe(made.dockerfile_inline, [&] { return Text("FROM " + text()); });
        maybe(made.target, [&] { return filled(); });
        made.args = variables();
        made.tags = images();
        made.cache_from = images();
        made.cache_to = filled_list();
        made.labels = variables();
        maybe(made.network, [&] { return std::string(pick(networks)); });
        if (chance(50))
            made.extra_hosts = hosts();
        static const char* const platforms[] = {"linux", "linux/amd64", "Linux/arm/v7", "arm64"};
        for (auto* strings : {&made.secrets, &made.ssh})
            *strings = words();
        made.platforms = list([&] { return std::string(pick(platforms)); });
        const auto place = [&made](const char* key, bool used) {
            if (used)
                made.marks.emplace(key, Mark{});
        };
        place("cache_to", !made.cache_to.empty());
        place("platforms", !made.platforms.empty());
        place("secrets", !made.secrets.empty());
        place("ssh", !made.ssh.empty());
        maybe(made.pull, [&] { return chance(50); });
        maybe(made.no_cache, [&] { return chance(50); });
        maybe(made.shm_size_bytes, [&] { return size(); });
        return made;
    }

    Push push()
    {
        Push made;
        if (chance(30)) {
            made.all_tags = true;
            return made;
        }
        made.tags = images();
        made.tags.push_back(image());
        maybe(made.image, [&] { return filled(); });
        return made;
    }

    Step step()
    {
        Step made;
        made.container = container(true, false);
        made.name = chance(60) ? word() : "";
        switch (below(5)) {
        case 0: made.build = build(); maybe(made.push, [&] { return push(); }); break;
        case 1: made.push = push(); break;
        case 2: made.settings = variables(); made.settings.emplace_back("Q", expressions()); break;
        default:
            made.run = expressions();
            made.container.command.reset();
            made.container.marks.erase("command");
        }
        maybe(made.condition, [&] { return condition(); });
        maybe(made.shell, [&] { return words(); });
        made.secrets = pairs([&] { return word(); }, [&] { return word(); });
        made.secret_files = pairs([&] { return word(); }, [&] { return word(); });
        maybe(made.retry, [&] { return retry(); });
        maybe(made.timeout, [&] { return time_limit(); });
        maybe(made.idle_timeout, [&] { return time_limit(); });
        made.allow_failure = chance(20);
        return made;
    }

    std::vector<StepGroup> steps(int least)
    {
        std::vector<StepGroup> made;
        for (int i = least + below(3); i > 0; --i) {
            StepGroup group;
            for (int member = chance(70) ? 1 : 2 + below(2); member > 0; --member)
                group.steps.push_back(step());
            made.push_back(std::move(group));
        }
        return made;
    }

    ContainerFile container_file()
    {
        ContainerFile made;
        made.target = chance(50) ? Text("/" + word()) : computed();
        if (chance(50))
            made.content = expressions();
        else
            made.source = "conf/" + std::to_string(below(9));
        maybe(made.mode, [&] { return static_cast<std::uint32_t>(below(01000)); });
        maybe(made.uid, [&] { return static_cast<std::uint32_t>(below(9)); });
        maybe(made.gid, [&] { return static_cast<std::uint32_t>(below(9)); });
        return made;
    }

    Ready ready()
    {
        static const Ready kinds[] = {{5432, {}, {}, {}}, {{}, ":8080/a?b#c", {}, {}}, {{}, "/:", {}, {}},
                                      {{}, {}, "^ready: (a|b)\\.$", {}}, {{}, {}, "~", {}}};
        Ready made = pick(kinds);
        if (made.tcp)
            made.tcp = 1 + below(65535);
        return made;
    }

    Service service(const std::string& name)
    {
        Service made;
        made.name = name;
        made.container = container(true, false);
        maybe(made.build, [&] { return build(); });
        if (!made.build && !made.container.image) {
            made.container.image = image();
            made.container.marks.emplace("image", Mark{});
        }
        maybe(made.ready, [&] { return ready(); });
        made.files = list([&] { return container_file(); }, 2);
        made.probe = chance(30) ? "declared" : "";
        return made;
    }

    Text cache_key() // one line, as far as it is written out
    {
        Text made = filled();
        return made.is_literal() ? Text(word()) : made;
    }

    Cache cache()
    {
        static const char* const modes[] = {"shared", "private", "locked"};
        static const char* const policies[] = {"pull", "push", "pull-push"};
        Cache made;
        made.name = word();
        made.path = filled();
        if (chance(50))
            made.key_files = {word()};
        else if (chance(80))
            made.key = cache_key();
        made.fallback_keys = list([&] { return cache_key(); });
        made.mode = pick(modes);
        made.policy = pick(policies);
        return made;
    }

    Artifacts artifacts()
    {
        static const char* const times[] = {"on_success", "on_failure", "always"};
        static const char* const patterns[] = {"bin/", "**/*.log", "[a]", "{}", "-", "a: b", "/workspace/x #y", "~", "true", "!c", "*a"};
        const auto pattern = [&] { return std::string(pick(patterns)); };
        Artifacts made{list([&] { return chance(50) ? Text(pattern()) : computed(); }), list(pattern), pick(times), {}, {}, {}};
        maybe(made.expire_in, [&] { return duration(); });
        if (chance(50))
            made.reports = {{"coverage", {word()}}, {"junit", {word(), word()}}};
        return made;
    }

    Matrix matrix()
    {
        const auto row = [&] { return pairs([&] { return word(); }, [&] { return text(); }); };
        const auto values = [&] {
            auto made = list([&] { return expressions(); });
            made.push_back("1.10");
            return made;
        };
        Matrix made{pairs([&] { return variable(); }, values), list(row), {}, {}};
        for (const auto& axis : made.axes)
            if (chance(50))
                made.exclude.push_back({{axis.first, text()}});
        return made;
    }

    Stage stage()
    {
        Stage made;
        made.name = word();
        made.container = container(false, true);
        if (chance(50))
            made.needs = list([&] { return Need{word(), {}}; });
        maybe(made.condition, [&] { return condition(); });
        maybe(made.matrix, [&] { return matrix(); });
        maybe(made.shell, [&] { return words(); });
        made.runs_on = pairs([&] { return word(); }, [&] { return expressions(); });
        for (const auto& [name, unused] : pairs([&] { return word(); }, [&] { return 0; }, 2))
            made.services.push_back(service(name));
        made.caches = list([&] { return cache(); }, 2);
        maybe(made.approval, [&] { return Approval{expressions(), words(), {}}; });
        made.steps = steps(made.approval ? 0 : 1);
        made.finally_steps = steps(0);
        maybe(made.artifacts, [&] { return artifacts(); });
        maybe(made.concurrency, [&] { return concurrency(); });
        maybe(made.timeout, [&] { return time_limit(); });
        maybe(made.retry, [&] { return retry(); });
        made.allow_failure = chance(20);
        made.workspace = {static_cast<WorkspaceStart>(below(2)), static_cast<OnConflict>(below(2))};
        return made;
    }
};

} // namespace gantry::pipeline

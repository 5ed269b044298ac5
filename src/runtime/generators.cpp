// See generators.hpp.
#include "runtime/generators.hpp"

#include "exec/build_plan.hpp"
#include "sys/clock.hpp"

#include <cstdlib>
#include <utility>

namespace monoinit::runtime {

namespace {

/// Beyond the generators' own limit, for init scripts and files on a file system that does not answer.
constexpr base::Duration patience = std::chrono::seconds(10);

std::string_view variable(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string& entry : environment)
        if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=')
            return std::string_view(entry).substr(name.size() + 1);
    return {};
}

} // namespace

void Generators::set_up(unit::GeneratorDirectories directories, const std::vector<std::string>& environment, const std::string& container,
                        const std::string& architecture) {
    set_up_ = true;
    plan_.directories = std::move(directories);
    plan_.environment = exec::inherited_environment(environment, false);
    const auto set = [&](std::string_view name, std::string_view value) {
        std::erase_if(plan_.environment, [&](const std::string& entry) { return entry.starts_with(std::string(name) + "="); });
        plan_.environment.push_back(std::string(name) + "=" + std::string(value));
    };
    if (variable(plan_.environment, "PATH").empty())
        set("PATH", exec::default_path);
    set("SYSTEMD_SCOPE", "system");
    set("SYSTEMD_IN_INITRD", "0");
    set("SYSTEMD_FIRST_BOOT", "0");
    set("SYSTEMD_ARCHITECTURE", architecture);
    if (container != "no container")
        set("SYSTEMD_VIRTUALIZATION", "container:" + (container == "a container" ? std::string("container-other") : container));
    generator_path_ = unit::generator_path(variable(environment, "SYSTEMD_GENERATOR_PATH"));
    plan_.scripts = unit::init_script_places(variable(environment, "SYSTEMD_SYSVINIT_PATH"), variable(environment, "SYSTEMD_SYSVRCND_PATH"));
}

void Generators::run(std::function<void()> then) {
    if (!set_up_ || ended_)
        return then();
    waiting_.push_back(std::move(then));
    if (probe_ == 0)
        start();
}

/// What was there once has to be tidied up when it is gone.
bool Generators::anything_to_do() {
    plan_.place = links_.loader.environment();
    plan_.programs = unit::find_generators(links_.files, generator_path_, plan_.place.masked_patterns);
    const auto made = [&](const std::string* directory) { return links_.files.kind(*directory).has_value(); };
    for (const std::string* directory : plan_.directories.all())
        have_made_ = have_made_ || made(directory);
    return have_made_ || !plan_.programs.empty() ||
           unit::has_init_scripts(links_.files, plan_.scripts, [&](const std::string& unit) { return unit::needs_no_init_script(links_.loader, unit); });
}

void Generators::start() {
    served_ = std::exchange(waiting_, {});
    if (ended_ || !anything_to_do())
        return finish();
    have_made_ = true;
    // Where the probe cannot be made this is over before it returns, and 0 is right.
    probe_ = links_.probes.start([this] { return exec::probe_generators(plan_); }, sys::now(), plan_.limit + patience, [this](const base::Result<std::string>& bytes) {
        probe_ = 0;
        if (!bytes && !ended_)
            links_.log.say(3, {}, "generators and init scripts: " + bytes.error().what);
        for (const exec::GeneratorLine& line : exec::generators_answer(bytes ? *bytes : ""))
            if (!ended_)
                links_.log.say(line.severity, {}, line.text);
        finish();
    });
}

void Generators::finish() {
    for (const auto& done : std::exchange(served_, {}))
        done();
    if (!waiting_.empty() && probe_ == 0)
        start();
}

void Generators::abandon() {
    ended_ = true;
    if (probe_ != 0)
        links_.probes.cancel(std::exchange(probe_, 0));
}

} // namespace monoinit::runtime

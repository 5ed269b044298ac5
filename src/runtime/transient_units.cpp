// `initctl run`: unit files that a request brings. They lie in a directory beside the control socket, the last of the unit path, so
// that loading, daemon-reload and a resumed image treat them as any other; a boot begins without them.
// Tested by tests/system/run.py.
#include "runtime/operations.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "runtime/runtime.hpp"
#include "unit/name.hpp"
#include "unit/transient.hpp"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr std::size_t text_at_most = 128 << 10;

bool write_whole(const std::string& path, std::string_view text) {
    const sys::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

} // namespace

/// Why a service of this name cannot be made; nothing: it can, and what was left of one before is forgotten.
std::optional<std::string> Operations::name_is_taken(const std::string& name) {
    const base::UnitId unit = runtime_.load(name);
    if (!unit)
        return std::nullopt;
    const engine::UnitStatus status = runtime_.engine().status(unit);
    const unit::UnitConfig& config = *status.config;
    const std::string short_name(unit::short_name(name));
    if (config.load_state == unit::LoadState::NotFound)
        return std::nullopt;
    if (config.files.empty() || !unit::is_transient_path(config.files.front()))
        return fmt::format("{} is a unit already ({}): give it another --name, or initctl start {}", short_name,
                           config.files.empty() || config.files.front().empty() ? "built in or masked" : config.files.front(), short_name);
    const bool down = status.active == supervise::ActiveState::Inactive || status.active == supervise::ActiveState::Failed;
    if (!down || status.job)
        return fmt::format("{} runs already: initctl stop {}, or give this one another --name", short_name, short_name);
    runtime_.forget_unit(unit);
    return std::nullopt;
}

/// Those without a name of their own that have ended well: they would only pile up.
void Operations::sweep_transient_units() {
    for (const base::UnitId id : runtime_.engine().units()) {
        const engine::UnitStatus status = runtime_.engine().status(id);
        if (!status.config->name.starts_with(unit::nameless_prefix) || status.active != supervise::ActiveState::Inactive || status.job ||
            status.config->files.empty() || !unit::is_transient_path(status.config->files.front()))
            continue;
        ::unlink(status.config->files.front().c_str());
        runtime_.forget_unit(id);
    }
}

void Operations::put_unit(control::Ticket ticket, const control::PutUnitRequest& request) {
    const std::string directory = runtime_.transient_directory();
    if (directory.empty())
        return server_->fail(ticket, base::fail(base::Errc::System, "there is no writable runtime directory for units made by a request"));
    if (!unit::is_valid_name(request.name) || unit::is_template(request.name) || unit::type_of(request.name) != unit::UnitType::Service)
        return server_->fail(ticket, base::fail(base::Errc::Invalid, base::printable(request.name, 80) + " is not a valid name of a service"));
    if (request.text.size() > text_at_most)
        return server_->fail(ticket, base::fail(base::Errc::TooLarge, "the text of the unit is too long"));
    sweep_transient_units();
    if (const auto taken = name_is_taken(request.name))
        return server_->fail(ticket, base::fail(base::Errc::Exists, *taken));
    (void)::mkdir(directory.c_str(), 0755); // it may be there; if not, the file cannot be written
    const std::string path = directory + "/" + request.name, fresh = directory + "/.new";
    if (!write_whole(fresh, request.text) || ::rename(fresh.c_str(), path.c_str()) != 0)
        return server_->fail(ticket, base::fail_errno(errno, path));
    runtime_.look_at_unit_files();
    const base::UnitId unit = runtime_.load(request.name);
    const auto state = unit ? runtime_.engine().status(unit).config->load_state : unit::LoadState::NotFound;
    if (state != unit::LoadState::Loaded)
        return server_->fail(ticket, base::fail(base::Errc::Invalid, unit && !runtime_.engine().status(unit).config->load_error.empty()
                                                                         ? runtime_.engine().status(unit).config->load_error
                                                                         : "the unit could not be loaded"));
    server_->reply(ticket, control::Empty{});
}

} // namespace monoinit::runtime

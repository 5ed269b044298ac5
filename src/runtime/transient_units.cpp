// `initctl run`, systemd-run: unit files that a request brings. They lie in a directory beside the control socket, the last of the unit path, so
// that loading, daemon-reload and a resumed image treat them as any other; a boot begins without them.
// Tested by tests/system/run.py.
#include "runtime/operations.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "runtime/runtime.hpp"
#include "sys/clock.hpp"
#include "unit/name.hpp"
#include "unit/transient.hpp"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr std::size_t text_at_most = 128 << 10;
constexpr int own_at_most = 64; ///< of one uid without further rights
constexpr base::Duration time_to_ask = std::chrono::seconds(2);

bool can_be_transient(std::string_view name) {
    if (!unit::is_valid_name(name) || unit::is_template(name))
        return false;
    switch (*unit::type_of(name)) {
    case unit::UnitType::Service:
    case unit::UnitType::Timer:
    case unit::UnitType::Socket:
    case unit::UnitType::Path:
        return true;
    case unit::UnitType::Target:
    case unit::UnitType::Device:
    case unit::UnitType::Mount:
    case unit::UnitType::Automount:
    case unit::UnitType::Swap:
    case unit::UnitType::Slice:
    case unit::UnitType::Scope:
        return false;
    }
    return false;
}

bool write_whole(const std::string& path, std::string_view text) {
    const sys::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

} // namespace

bool Operations::is_transient(base::UnitId unit) const {
    const auto& files = runtime_.engine().status(unit).config->files;
    return !files.empty() && unit::is_transient_path(files.front());
}

/// Why a service of this name cannot be made; nothing: it can, and what was left of one before is forgotten.
std::optional<std::string> Operations::name_is_taken(const std::string& name, const control::Peer& peer) {
    const base::UnitId unit = runtime_.load(name);
    if (!unit)
        return std::nullopt;
    const engine::UnitStatus status = runtime_.engine().status(unit);
    const unit::UnitConfig& config = *status.config;
    const std::string short_name(unit::short_name(name));
    if (config.load_state == unit::LoadState::NotFound)
        return std::nullopt;
    if (!is_transient(unit))
        return fmt::format("{} is a unit already ({}): give this another --name, or initctl start {}", short_name,
                           config.files.empty() || config.files.front().empty() ? "built in or masked" : config.files.front(), short_name);
    if (!runtime_.is_privileged(peer) && facts(name).user_uid != peer.uid)
        return fmt::format("{} is another user's: give this another --name", short_name);
    const bool down = status.active == supervise::ActiveState::Inactive || status.active == supervise::ActiveState::Failed;
    if (!down || status.job)
        return fmt::format("{} runs already: initctl stop {}, or give this another --name", short_name, short_name);
    runtime_.forget_unit(unit);
    return std::nullopt;
}

/// From when on nobody has a use for what it holds: it is down, nothing can start it again, and who asked for it has had the time to
/// ask for its start, and how it went.
base::Instant Operations::over_at(const engine::UnitStatus& status) {
    const bool down = status.active == supervise::ActiveState::Inactive || status.active == supervise::ActiveState::Failed;
    if (!down || status.job || !runtime_.engine().dependencies(status.id, unit::DependencyKind::Triggers, true).empty())
        return base::never;
    const base::Instant came = put_.try_emplace(status.config->name, sys::now()).first->second; // a new image counts anew
    return std::max(came, status.inactive_enter.mono) + time_to_ask;
}

void Operations::sweep_later(base::UnitId unit) {
    if (runtime_.engine().status(unit).config && is_transient(unit))
        sweep_at_ = std::min(sweep_at_, sys::now() + time_to_ask);
}

/// They would only pile up: those without a name of their own that ended well, and those with CollectMode=inactive-or-failed. Of the
/// others, streams that were lent for a start which nobody asked for go back. Twice: what starts a unit goes before it.
void Operations::sweep_transient_units() {
    sweep_at_ = base::never;
    for (int pass = 0; pass < 2; pass++)
        for (const base::UnitId id : runtime_.engine().units()) {
            const engine::UnitStatus status = runtime_.engine().status(id);
            if (!status.config || !is_transient(id)) // it may have gone with the one before it
                continue;
            if (const base::Instant at = over_at(status); at > sys::now()) {
                sweep_at_ = std::min(sweep_at_, at);
                continue;
            }
            runtime_.take_back_streams(id);
            const bool collects = status.config->unit.collect_mode == unit::CollectMode::InactiveOrFailed;
            const bool nameless = status.config->name.starts_with(unit::nameless_prefix);
            if (!collects && (!nameless || status.active == supervise::ActiveState::Failed))
                continue;
            put_.erase(status.config->name);
            ::unlink(status.config->files.front().c_str());
            runtime_.forget_unit(id);
        }
}

/// Why somebody without rights over the container may not have this service, now that it is loaded.
std::optional<std::string> Operations::refuse_own(const std::string& name, const control::Peer& peer) {
    const control::UnitFacts unit = facts(name);
    if (unit.user_uid != peer.uid || unit.privileged_commands)
        return fmt::format("uid {} may run services as themselves only: User={} and no command with + or !", peer.uid, unit.user.empty() ? "(unset)" : unit.user);
    const std::vector<base::UnitId> all = runtime_.engine().units();
    const auto own = std::ranges::count_if(all, [&](base::UnitId id) { return is_transient(id) && facts(runtime_.engine().status(id).config->name).user_uid == peer.uid; });
    if (own > own_at_most)
        return fmt::format("uid {} has {} such services already; initctl run --name again replaces one that has ended", peer.uid, own_at_most);
    return std::nullopt;
}

/// The unit of the file that now lies at `path`; a file that cannot be used is removed again.
base::Result<base::UnitId> Operations::load_transient(const control::PutUnitRequest& request, const std::string& path) {
    runtime_.look_at_unit_files();
    const base::UnitId unit = runtime_.load(request.name);
    const auto config = unit ? runtime_.engine().status(unit).config : nullptr;
    if (config && config->load_state == unit::LoadState::Loaded)
        return unit;
    ::unlink(path.c_str());
    return base::fail(base::Errc::Invalid, config && !config->load_error.empty() ? config->load_error : "the unit could not be loaded");
}

/// Writes the file and loads it; what is wrong with either is the error.
base::Result<base::UnitId> Operations::make_unit(const control::PutUnitRequest& request, const control::Peer& peer) {
    const std::string directory = runtime_.transient_directory();
    if (directory.empty())
        return base::fail(base::Errc::System, "there is no writable runtime directory for units made by a request");
    if (request.text.size() > text_at_most)
        return base::fail(base::Errc::TooLarge, "the text of the unit is too long");
    if (const auto foreign = runtime_.is_privileged(peer) ? std::nullopt : unit::beyond_own_rights(request.text))
        return base::fail(base::Errc::Denied, fmt::format("uid {} may not run a service with {}", peer.uid, *foreign));
    if (const auto taken = name_is_taken(request.name, peer))
        return base::fail(base::Errc::Exists, *taken);
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
        return base::fail_errno(errno, directory);
    const std::string path = directory + "/" + request.name, fresh = directory + "/.new";
    if (!write_whole(fresh, request.text) || ::rename(fresh.c_str(), path.c_str()) != 0)
        return base::fail_errno(errno, path);
    return load_transient(request, path);
}

void Operations::put_unit(control::Ticket ticket, const control::Peer& peer, const control::PutUnitRequest& request, std::vector<sys::UniqueFd>& descriptors) {
    if (!can_be_transient(request.name))
        return server_->fail(ticket, base::fail(base::Errc::Invalid, base::printable(request.name, 80) + " is not a valid name of a service, timer, socket or path"));
    if (!descriptors.empty() && descriptors.size() != 3)
        return server_->fail(ticket, base::fail(base::Errc::Invalid, "three descriptors are the streams of a service, or none"));
    const auto unit = make_unit(request, peer);
    if (!unit)
        return server_->fail(ticket, unit.error());
    if (const auto refusal = runtime_.is_privileged(peer) ? std::nullopt : refuse_own(request.name, peer)) {
        ::unlink((runtime_.transient_directory() + "/" + request.name).c_str());
        runtime_.forget_unit(*unit);
        return server_->fail(ticket, base::fail(base::Errc::Denied, *refusal));
    }
    put_[request.name] = sys::now();
    sweep_later(*unit);
    if (!descriptors.empty())
        runtime_.lend_streams(*unit, descriptors);
    server_->reply(ticket, control::Empty{});
}

void Operations::adopt(control::Ticket ticket, const control::Peer& peer, const control::AdoptRequest& request) {
    if (!unit::is_valid_name(request.name) || unit::is_template(request.name) || unit::type_of(request.name) != unit::UnitType::Scope)
        return server_->fail(ticket, base::fail(base::Errc::Invalid, base::printable(request.name, 80) + " is not a valid name of a scope"));
    const bool privileged = runtime_.is_privileged(peer);
    const auto unit = make_unit({request.name, request.text}, peer);
    if (!unit)
        return server_->fail(ticket, unit.error());
    if (const auto adopted = runtime_.scopes().adopt(*unit, request.pids, privileged ? 0 : peer.uid); !adopted) {
        forget_scope(*unit);
        return server_->fail(ticket, adopted.error());
    }
    server_->reply(ticket, control::Empty{});
}

void Operations::forget_scope(base::UnitId unit) {
    const engine::UnitStatus status = runtime_.engine().status(unit);
    if (!status.config || status.active == supervise::ActiveState::Failed || !is_transient(unit))
        return;
    ::unlink(status.config->files.front().c_str());
    runtime_.forget_unit(unit);
}

} // namespace monoinit::runtime

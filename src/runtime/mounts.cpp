// The mount table and the devices there are, for units that follow them. The table is the kernel's own file, so PID 1 reads it; a
// device is looked at without leaving /dev and /sys, else by a probe. Tested by tests/system/mounts.py.
#include "runtime/runtime.hpp"

#include "sys/mounts.hpp"
#include "sys/patience.hpp"
#include "sys/syscalls.hpp"
#include "unit/mounts.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <fcntl.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration device_limit = std::chrono::seconds(10); ///< for paths that may hang
/// A table that changes all the time is read so often at most.
constexpr base::Duration between_looks = std::chrono::milliseconds(50);
constexpr base::Duration look_again_after = std::chrono::seconds(1); ///< where the table could not be read
constexpr std::size_t units_at_most = 1000; ///< of mounts without a file: more are there when asked for by name

} // namespace

/// For the loader: whoever loads units from now on finds those of what is mounted.
void Runtime::read_mounts(base::Result<std::vector<sys::Mount>> table) {
    if (!table) { // what is known of them stays
        log_->say(4, {}, "what is mounted: " + base::to_string(table.error()));
        look_at_mounts_at_ = sys::now() + look_again_after;
        return;
    }
    std::vector<unit::MountPoint> points;
    for (sys::Mount& each : *table)
        if (each.type != "autofs") // nothing is mounted there yet
            points.push_back({std::move(each.point), std::move(each.source), std::move(each.type), std::move(each.options)});
    if (std::ranges::find(points, "/", &unit::MountPoint::where) == points.end())
        points.insert(points.begin(), {"/", "rootfs", "rootfs", ""}); // a root that is no mount point of its own
    loader_->set_mounted(unit::MountTable(points));
}

void Runtime::watch_mounts() {
    auto opened = sys::insist([] { return sys::open_path("/proc/self/mountinfo", O_RDONLY); });
    if (!opened)
        return; // no /proc
    mount_watch_ = std::move(*opened);
    (void)loop_->add(mount_watch_.get(), EPOLLPRI, [this](std::uint32_t) {
        const base::Instant next = looked_at_mounts_ + between_looks;
        if (sys::now() >= next)
            look_at_mounts();
        else
            look_at_mounts_at_ = next;
    });
}

void Runtime::load_mount_units() {
    std::vector<std::string> missing;
    for (const auto& [name, point] : loader_->mounted().all()) {
        const base::UnitId known = engine_->find(name);
        const bool wanted = !known || engine_->status(known).config->load_state == unit::LoadState::NotFound;
        if (wanted && !unit::is_api_path(point.where) && missing.size() < units_at_most)
            missing.push_back(name);
    }
    if (!missing.empty())
        load_new(loader_->load_closure(missing));
}

void Runtime::look_at_mounts(bool given) {
    looked_at_mounts_ = sys::now();
    look_at_mounts_at_ = base::never;
    const unit::MountTable before = loader_->mounted();
    read_mounts(sys::mounts());
    load_mount_units();
    engine::MountsRead event;
    event.given = given;
    for (const auto& [name, point] : loader_->mounted().all())
        event.mounted.insert(name);
    for (const auto& [name, point] : before.all())
        if (!event.mounted.contains(name))
            unmounted_.push_back(name);
    feed(std::move(event));
}

/// Units that were there only because something was mounted: once nothing of theirs runs.
void Runtime::forget_unmounted() {
    for (const std::string& name : std::exchange(unmounted_, {})) {
        const base::UnitId unit = engine_->find(name);
        const engine::UnitStatus status = engine_->status(unit);
        if (!unit || !status.config->builtin || loader_->mounted().find(name) != nullptr)
            continue;
        if (status.active != supervise::ActiveState::Inactive || status.job || !guards_->pids_of(unit).empty()) {
            unmounted_.push_back(name);
            continue;
        }
        engine_->sync({loader_->load(name)}, false, sys::moment_now());
        engine_->forget_unknown(unit);
        known_names_.erase(name);
        std::erase(loaded_names_, name);
        if (!engine_->find(name))
            forget_traces(unit);
        save_facts();
    }
}

void Runtime::look_at_device(base::UnitId unit) {
    const std::string path = unit::device_path(engine_->status(unit).config->name);
    if (const auto known = sys::device_exists(path))
        return feed(engine::DeviceSeen{unit, *known});
    const std::vector<unit::Condition> there{{.kind = unit::ConditionKind::PathExists, .parameter = path}};
    probes_->start([there] { return exec::probe_conditions(there, {}, {}); }, sys::now(), device_limit, [this, unit](const base::Result<std::string>& bytes) {
        const auto answer = exec::conditions_answer(bytes ? *bytes : "");
        if (!bytes)
            log_->say(4, name_of(unit), "it could not be looked at: " + bytes.error().what);
        feed(engine::DeviceSeen{unit, answer && answer->ok});
    });
}

} // namespace monoinit::runtime

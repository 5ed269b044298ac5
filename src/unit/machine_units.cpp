// Where unit files are looked for, and which of them, and of the generators, a container leaves alone. The list is data: glob,
// reason. A file in a directory of the administrator (`initctl unmask` makes one) always wins over it.
// Tested by tests/unit/unit/loader_test.cpp.

#include "base/strings.hpp"
#include "unit/loader.hpp"

#include <algorithm>

namespace monoinit::unit {

namespace {

constexpr std::string_view search_path[] = {
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
};

constexpr std::string_view console = "logins on terminals of the machine; a container has none";
constexpr std::string_view devices = "devices belong to the host";
constexpr std::string_view kernel = "kernel modules and settings belong to the host";
constexpr std::string_view disks = "disks and mounts belong to the host";
constexpr std::string_view power = "power and sleep belong to the host";
constexpr std::string_view network = "the container engine configures the network";
constexpr std::string_view time_ = "the clock belongs to the host";
constexpr std::string_view image = "packages are updated by building the image anew";
constexpr std::string_view systemd = "part of systemd itself, which does not run here";
constexpr std::string_view tidying = "it deletes files of /tmp, which a container keeps over a restart";
constexpr std::string_view first_boot = "sets up a machine at its first boot";
constexpr std::string_view command_line = "reads the kernel's command line, which is the host's";
constexpr std::string_view scripts = "part of the boot of a machine with init scripts";

struct Row {
    std::string_view globs; ///< separated by blanks
    std::string_view reason;
};

// clang-format off
constexpr Row rows[] = {
    {"getty@*.service serial-getty@*.service container-getty@*.service console-getty.service autovt@*.service getty-static.service", console},
    {"debug-shell.service rescue.service rescue.target emergency.service emergency.target systemd-ask-password-*", console},
    {"keyboard-setup.service console-setup.service setvtrgb.service systemd-vconsole-setup.service plymouth*", console},
    {"udev.service systemd-udev* systemd-hwdb-update.service systemd-rfkill.* systemd-backlight@*.service", devices},
    {"bluetooth.service ModemManager.service fwupd*.service fwupd*.timer thermald.service irqbalance.service smartd.service smartmontools.service", devices},
    {"kmod.service kmod-static-nodes.service modprobe@*.service systemd-modules-load.service systemd-sysctl.service procps.service", kernel},
    {"systemd-binfmt.service binfmt-support.service apparmor.service auditd.service systemd-pstore.service systemd-oomd.*", kernel},
    {"systemd-remount-fs.service systemd-fsck* systemd-quotacheck* quotaon* systemd-growfs* systemd-makefs@*.service systemd-mkswap@*.service", disks},
    {"systemd-repart.service systemd-volatile-root.service systemd-cryptsetup@*.service systemd-veritysetup@*.service systemd-integritysetup@*.service", disks},
    {"systemd-sysext* systemd-confext* systemd-tmpfiles-setup-dev* cryptdisks*.service tmp.mount", disks},
    {"systemd-tmpfiles-clean.*", tidying},
    {"dev-hugepages.mount dev-mqueue.mount sys-*.mount proc-sys-fs-binfmt_misc.*", disks},
    {"fstrim.* e2scrub* xfs_scrub* lvm2-* blk-availability.service dm-event.* mdadm* mdmonitor* mdcheck_* multipathd.* iscsid.* open-iscsi.service", disks},
    {"sleep.target suspend.target hibernate.target hybrid-sleep.target suspend-then-hibernate.target", power},
    {"systemd-suspend* systemd-hibernate* systemd-hybrid-sleep.service systemd-bless-boot* systemd-boot-* acpid.* upower.service", power},
    {"networking.service ifup@*.service ifupdown-pre.service ifupdown-wait-online.service NetworkManager*.service wpa_supplicant*.service", network},
    {"systemd-network* systemd-resolved.service netplan-*.service", network},
    {"systemd-timesyncd.service systemd-time-wait-sync.service hwclock* fake-hwclock*", time_},
    {"apt-daily.* apt-daily-upgrade.* unattended-upgrades.service packagekit* dnf-makecache.* motd-news.* apport* ua-timer.* ua-reboot-cmds.service esm-cache.service", image},
    {"man-db.service man-db.timer", "the manual's index is made when the image is built"},
    {"snapd* snap.* snap-*", "snap needs mounts and a real systemd"},
    {"system-update* systemd-update-done.service", image},
    {"initrd-* initrd.target", "part of the boot of a machine's initial RAM disk"},
    {"cloud-init* cloud-config.service cloud-config.target cloud-final.service", first_boot},
    {"systemd-firstboot.service systemd-machine-id-commit.service systemd-random-seed.service systemd-boot-random-seed.service", first_boot},
    {"systemd-logind.* user@*.service user-runtime-dir@*.service systemd-user-sessions.service dbus-org.freedesktop.*", systemd},
    {"systemd-hostnamed.* systemd-localed.* systemd-timedated.* systemd-machined.* systemd-portabled.* systemd-importd.* systemd-homed* systemd-userdbd.*", systemd},
    {"systemd-fstab-generator systemd-gpt-auto-generator systemd-cryptsetup-generator systemd-veritysetup-generator systemd-integritysetup-generator", disks},
    {"lvm2-activation-generator zfs-mount-generator ostree-system-generator", disks},
    {"systemd-getty-generator systemd-debug-generator", console},
    {"systemd-run-generator systemd-import-generator systemd-tpm2-generator systemd-factory-reset-generator", command_line},
    {"systemd-hibernate-resume-generator systemd-bless-boot-generator friendly-recovery kdump-dep-generator.sh selinux-autorelabel-generator.sh", power},
    {"systemd-system-update-generator", image},
    {"systemd-ssh-generator", "makes sockets for the host's side of a virtual machine"},
    {"netplan", network},
    {"systemd-sysv-generator", "monoinit reads /etc/init.d itself"},
    {"rc.service rcS.service rc.local.service rmnologin.service checkfs.service checkroot*.service mountall*.service mountdevsubfs.service", scripts},
    {"mountkernfs.service mountnfs*.service umountfs.service umountnfs.service umountroot.service bootlogs.service bootmisc.service", scripts},
    {"bootlogd.service stop-bootlogd*.service sendsigs.service killprocs.service single.service halt.service reboot.service urandom.service", scripts},
    {"hostname.service x11-common.service screen-cleanup.service skeleton.service", scripts},
    {"systemd-journald@* systemd-journald-varlink@* systemd-initctl.* systemd-update-utmp* systemd-pcr* systemd-nspawn@*", systemd},
};
// clang-format on

std::vector<std::pair<std::string, std::string>> expand_rows() {
    std::vector<std::pair<std::string, std::string>> masks;
    for (const Row& row : rows)
        for (const std::string_view glob : base::split(row.globs, ' '))
            masks.emplace_back(glob, row.reason);
    return masks;
}

/// Most globs of the list begin with a letter; asking that first keeps 10,000 units cheap.
bool may_match(std::string_view glob, std::string_view name) {
    return !glob.empty() && !name.empty() && (glob.front() == name.front() || glob.find_first_of("*?[") == 0);
}

std::string reason_of(std::string_view pattern) {
    for (const auto& [glob, reason] : default_machine_masks())
        if (glob == pattern)
            return reason;
    return "on the configured list of masked units";
}

std::vector<std::string> default_search_path() {
    return {std::begin(search_path), std::end(search_path)};
}

/// "A:B" replaces the path, "A:B:" stands before it, "" is no wish at all.
std::optional<std::vector<std::string>> wished_path(std::string_view text) {
    if (text.empty())
        return std::nullopt;
    std::vector<std::string> path;
    for (const std::string_view part : base::split(text, ':'))
        if (!part.empty())
            path.emplace_back(part);
    if (text.ends_with(':'))
        std::ranges::move(default_search_path(), std::back_inserter(path));
    return path;
}

} // namespace

std::vector<std::string> default_unit_path(std::string_view systemd_unit_path, std::string_view override_path) {
    for (const std::string_view wish : {override_path, systemd_unit_path})
        if (auto path = wished_path(wish))
            return *std::move(path);
    return default_search_path();
}

const std::vector<std::pair<std::string, std::string>>& default_machine_masks() {
    static const auto masks = expand_rows();
    return masks;
}

std::optional<std::string> machine_mask(const std::vector<std::string>& patterns, std::string_view name) {
    std::optional<std::string> reason;
    for (const std::string_view pattern : patterns) {
        if (pattern.starts_with('!')) {
            if (base::glob_match(pattern.substr(1), name))
                return std::nullopt;
        } else if (!reason && may_match(pattern, name) && base::glob_match(pattern, name)) {
            reason = reason_of(pattern);
        }
    }
    return reason;
}

std::vector<std::string> machine_masks(const std::vector<std::string>& configured) {
    std::vector<std::string> globs;
    for (const auto& [glob, reason] : default_machine_masks())
        globs.push_back(glob);
    globs.insert(globs.end(), configured.begin(), configured.end());
    return globs;
}

} // namespace monoinit::unit

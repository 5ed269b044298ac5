// initctl doctor: what this container allows and lacks, and what to do about it. It tells a problem (something will not work)
// from a note (something could be better). Tested by tests/unit/cli/doctor_test.cpp and tests/system/doctor.py.
#include "cli/doctor.hpp"

#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "config/config.hpp"
#include "sys/proc.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

extern char** environ;

namespace monoinit::cli {

namespace {

using Level = Finding::Level;

constexpr base::Duration docker_stop = std::chrono::seconds(10), kubernetes_stop = std::chrono::seconds(30);
constexpr std::uint64_t few_files = 4096, too_few_files = 256, few_processes = 512, too_few_processes = 64;
constexpr std::uint64_t small_shm = 64 << 20; ///< Docker's default

constexpr std::string_view wrapper_mark = "Container started"; ///< what the devcontainers CLI's shell echoes

bool is_engine_init(std::string_view name) {
    constexpr auto names = std::to_array<std::string_view>({"docker-init", "tini", "catatonit", "dumb-init", "podman-init"});
    return std::ranges::find(names, name) != names.end();
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; } // as --shm-size counts

std::string words(std::uint64_t limit) { return limit == ~std::uint64_t{0} ? "unlimited" : std::to_string(limit); }

class Examination {
  public:
    Examination(const sys::Surroundings& around, const Patient& patient)
        : around_(around), patient_(patient), contained_(around.place.container != "no container") {}

    std::vector<Finding> examine() {
        found_.push_back(examine_seat(around_, patient_));
        engine();
        socket();
        user();
        places();
        cgroup();
        capabilities();
        limits();
        devices();
        file_systems();
        stop();
        habits();
        return std::move(found_);
    }

  private:
    void ok(std::string subject, std::string text, std::string fix = {}) { add(Level::Ok, std::move(subject), std::move(text), std::move(fix)); }
    void note(std::string subject, std::string text, std::string fix) { add(Level::Note, std::move(subject), std::move(text), std::move(fix)); }
    void problem(std::string subject, std::string text, std::string fix) { add(Level::Problem, std::move(subject), std::move(text), std::move(fix)); }
    void add(Level level, std::string subject, std::string text, std::string fix) {
        found_.push_back({level, std::move(subject), std::move(text), std::move(fix)});
    }
    bool root() const { return around_.rights.uid == 0; }
    bool has(int capability) const { return (around_.rights.effective >> capability & 1) != 0; }

    void engine() {
        std::string text = around_.place.container;
        if (!around_.engine_version.empty())
            text = base::printable(around_.engine_version, 40);
        if (around_.user_namespace)
            text += ", in a user namespace (rootless)";
        ok("engine", text);
    }

    void socket() {
        if (patient_.answers)
            ok("socket", patient_.socket + " (monoinit " + patient_.version + ", pid " + std::to_string(patient_.pid) + ")");
        else if (around_.pid1_name == "monoinit")
            problem("socket", patient_.socket, "--socket=, MONOINIT_SOCKET, or a place to write at the next start: --tmpfs /run");
    }

    void user() {
        const std::string uid = "uid " + std::to_string(around_.rights.uid);
        if (!around_.rights.known)
            return note("user", "/proc does not tell who runs", "run initctl doctor as root");
        if (root())
            ok("user", "root: User= may be any user");
        else if (around_.has_passwd_entry)
            ok("user", uid + ": User= can only be this user");
        else
            note("user", uid + " has no entry in /etc/passwd: programs that ask for their name or home fail",
                 "add a line for it to /etc/passwd in the image, or set HOME= and USER=");
    }

    void places() {
        if (around_.run_writable)
            ok("/run", "writable");
        else if (around_.tmp_writable || around_.shm_writable)
            note("/run", std::string("not writable: the socket and state are below ") + (around_.tmp_writable ? "/tmp" : "/dev/shm") +
                             (root() ? ", and RuntimeDirectory= has no place" : ""), "--tmpfs /run (Kubernetes: an emptyDir)");
        else
            problem("/run", "neither /run nor /tmp nor /dev/shm is writable: no control socket", "--tmpfs /run (Kubernetes: an emptyDir)");
        if (around_.tmp_writable)
            ok("/tmp", "writable");
        else
            note("/tmp", "not writable: many programs fail", "--tmpfs /tmp");
        ok("root", around_.root_writable ? "writable" : "read-only: what services change must lie on a volume");
        if (patient_.answers && around_.state_on_disk)
            note("secrets", "credentials of units are copied to a disk, since the runtime directory is no tmpfs", "--tmpfs /run");
    }

    void cgroup() {
        if (around_.place.cgroup_writable)
            return ok("cgroup", around_.place.cgroup_controllers.empty()
                                    ? "v2, writable: units get groups of their own; no controllers, so MemoryMax= and kin do not act"
                                    : "v2, writable: units get groups of their own, with " + around_.place.cgroup_controllers);
        note("cgroup", "not writable: MemoryMax=, CPUQuota=, TasksMax= of units do not act; processes are held together without it",
             "limit the container as a whole: --memory, --cpus, --pids-limit");
    }

    void capabilities() {
        constexpr int chown = 0, kill = 5, setgid = 6, setuid = 7;
        if (!around_.rights.known)
            return;
        std::string missing;
        for (const auto& [number, name] : {std::pair{setuid, "SETUID"}, {setgid, "SETGID"}, {chown, "CHOWN"}, {kill, "KILL"}})
            if (root() && !has(number))
                (missing += missing.empty() ? "" : ",") += name;
        if (!missing.empty())
            note("capabilities", "root without " + missing + ": User= of another user fails with 217/USER", "--cap-add=" + missing);
        else
            ok("capabilities", around_.rights.effective == 0 ? "none" : root() ? "what User= needs is there" : "some, though not root");
        if (around_.rights.no_new_privileges)
            note("privileges", "no_new_privs is set: sudo, su and ping as setuid programs gain nothing",
                 "drop --security-opt=no-new-privileges if a terminal needs sudo");
        else
            ok("privileges", "setuid programs such as sudo work");
        if (around_.rights.seccomp >= 0)
            ok("seccomp", around_.rights.seccomp == 0 ? "no filter" : "the engine's filter");
        if (around_.hidden_processes && !root())
            note("/proc", "hidepid: processes of other users are hidden, so their memory and trees are not shown", "mount /proc without hidepid=");
    }

    void limit(const char* name, const char* flag, const std::optional<sys::LimitPair>& pair, std::uint64_t few, std::uint64_t too_few) {
        if (!pair)
            return;
        const std::string text = std::string(name) + " " + words(pair->hard);
        if (pair->hard < too_few)
            problem("limits", text + ": too few for more than a handful of services", std::string("--ulimit ") + flag);
        else if (pair->hard < few)
            note("limits", text + ": soon used up by several services", std::string("--ulimit ") + flag);
        else
            ok("limits", text);
    }

    void limits() {
        limit("nofile", "nofile=65536:65536", around_.nofile, few_files, too_few_files);
        limit("nproc", "nproc=30000:30000", around_.nproc, few_processes, too_few_processes);
        if (around_.core && around_.core->hard == 0)
            note("limits", "core 0: a crash leaves no core dump", "--ulimit core=-1 while one looks for a crash");
    }

    void devices() {
        if (around_.dev_log)
            ok("/dev/log", "there");
        else
            note("/dev/log", "missing: what programs send to syslog(3) is lost", "have them log to stderr, or run a syslog daemon as a unit");
        if (!around_.shm_size)
            problem("/dev/shm", "missing: browsers, PostgreSQL and Python's multiprocessing fail", "--tmpfs /dev/shm");
        else if (*around_.shm_size != 0 && *around_.shm_size <= small_shm)
            note("/dev/shm", mebibytes(*around_.shm_size) + ": little for browsers and databases", "--shm-size=1g");
        else
            ok("/dev/shm", *around_.shm_size == 0 ? "there" : mebibytes(*around_.shm_size));
        ok("terminal", around_.terminal.empty() ? "none: CMD has no job control" : around_.terminal, around_.terminal.empty() ? "docker run -it, where one is wanted" : "");
    }

    void file_systems() {
        if (around_.fstab.empty() || !contained_)
            return;
        std::string points = around_.fstab.front();
        for (std::size_t i = 1; i < around_.fstab.size(); i++)
            points += ", " + around_.fstab[i];
        note("fstab", "/etc/fstab is not read; not mounted: " + base::printable(points, 200), "volumes of the run command, or .mount units");
    }

    void stop() {
        if (!patient_.answers)
            return;
        const bool kubernetes = around_.place.container == "kubernetes";
        const base::Duration grace = kubernetes ? kubernetes_stop : docker_stop;
        const std::string text = "an ordered stop may take " + base::human_time_span(patient_.stop_budget);
        const std::string seconds = std::to_string(std::chrono::ceil<std::chrono::seconds>(patient_.stop_budget).count() + 2);
        const std::string given = kubernetes ? "Kubernetes' 30 s" : "Docker's and Podman's 10 s";
        if (patient_.stop_budget == base::infinity)
            problem("stop", "shutdown_timeout has no end, but the engine kills after " + given, "shutdown_timeout=8s");
        else if (patient_.stop_budget >= grace)
            problem("stop", text + ", not less than " + given + ": killed in the midst of it, unless the container was given longer",
                    kubernetes ? "terminationGracePeriodSeconds: " + seconds : "stop_grace_period: " + seconds + "s (docker stop -t " + seconds + "), or a shorter shutdown_timeout");
        else
            ok("stop", text + ", within " + given);
    }

    void habits() {
        if (contained_)
            note("health", std::string("whether the image has a HEALTHCHECK cannot be seen from inside") +
                               (patient_.answers && !patient_.has_checks ? "; no unit has an [X-Health] section" : ""),
                 around_.place.container == "kubernetes" ? "exec probes: initctl health --startup|--ready|--live" : "HEALTHCHECK CMD [\"initctl\", \"health\"]");
        if (!around_.zone_known)
            problem("time zone", "TZ=" + base::printable(around_.zone, 60) + " has no file in /usr/share/zoneinfo: times are UTC", "install tzdata in the image");
        else if (!around_.zone.empty())
            ok("time zone", base::printable(around_.zone, 60));
        else
            ok("time zone", around_.has_localtime ? "of /etc/localtime" : "UTC", around_.has_localtime ? "" : "-e TZ=Area/City (and tzdata in the image) for another");
        if (around_.locale.empty())
            ok("locale", "not set: services get LANG=C.UTF-8");
        else if (around_.locale == "C" || around_.locale == "POSIX")
            note("locale", around_.locale + ": what is not ASCII may be shown wrongly", "-e LANG=C.UTF-8");
        else
            ok("locale", base::printable(around_.locale, 60));
    }

    const sys::Surroundings& around_;
    const Patient& patient_;
    const bool contained_;
    std::vector<Finding> found_;
};

constexpr std::array<std::string_view, 3> level_names{"ok", "note", "problem"};
constexpr std::array<Color, 3> level_colors{Color::Green, Color::Yellow, Color::Red};

std::string_view name_of(Level level) { return level_names[static_cast<std::size_t>(level)]; }

/// The settings of the monoinit that runs: its own command line, and the file. Its environment is not ours to read.
base::Duration stop_budget(Context& context, int pid) {
    const std::vector<std::string> line = sys::command_line(pid);
    const std::vector<std::string> arguments(line.begin() + (line.empty() ? 0 : 1), line.end());
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; variable++)
        environment.emplace_back(*variable);
    return config::load(context.files(), config::parse_command_line(arguments), environment).config.shutdown_timeout;
}

Patient find_patient(Context& context) {
    Patient patient;
    const auto init = context.init();
    if (!init) {
        patient.socket = init.error().what;
        return patient;
    }
    patient.socket = (*init)->path();
    const auto info = (*init)->ask<control::ManagerInfo>(control::InfoRequest{});
    if (!info) {
        patient.socket += ": " + info.error().what;
        return patient;
    }
    patient.answers = true;
    patient.pid = info->pid;
    patient.version = info->version;
    patient.stop_budget = stop_budget(context, info->pid);
    if (const auto health = (*init)->ask<control::HealthReply>(control::HealthRequest{}))
        patient.has_checks = !health->units.empty();
    return patient;
}

void print_json(Context& context, const std::vector<Finding>& findings, std::size_t problems) {
    std::vector<std::string> rows;
    for (const Finding& finding : findings) {
        JsonFields fields{{"level", json_string(name_of(finding.level))}, {"subject", json_string(finding.subject)}, {"text", json_string(finding.text)}};
        if (!finding.fix.empty())
            fields.emplace_back("fix", json_string(finding.fix));
        rows.push_back(json_object(fields));
    }
    context.print("{}\n", json_object({{"problems", std::to_string(problems)}, {"findings", json_array(rows)}}));
}

} // namespace

Finding examine_seat(const sys::Surroundings& around, const Patient& patient) {
    const std::string pid1 = "PID 1 is \"" + around.pid1_line + "\"";
    const bool wrapper = around.pid1_line.find(wrapper_mark) != std::string::npos;
    const bool contained = around.place.container != "no container";
    const std::string override_command = "\"overrideCommand\": false in devcontainer.json makes monoinit PID 1";
    if (!patient.answers && around.pid1_name == "monoinit")
        return {Level::Ok, "seat", "PID 1", ""};
    if (!patient.answers && !contained)
        return {Level::Note, "seat", "no monoinit runs here; this is no container", "monoinit, as any user, runs the units of --unit-path="};
    if (!patient.answers && wrapper)
        return {Level::Problem, "seat", "no monoinit here: PID 1 is the wrapper shell of the devcontainers CLI", override_command};
    if (!patient.answers && is_engine_init(around.pid1_name))
        return {Level::Problem, "seat", "no monoinit here: " + pid1 + ", an init of the engine", "make monoinit the ENTRYPOINT; --init is not needed then"};
    if (!patient.answers)
        return {Level::Problem, "seat", "no monoinit here: " + pid1, "ENTRYPOINT [\"/usr/local/sbin/monoinit\"]"};
    if (patient.pid == 1)
        return {Level::Ok, "seat", "PID 1", ""};
    if (!contained && around.rights.uid != 0)
        return {Level::Ok, "seat", "an ordinary process of uid " + std::to_string(around.rights.uid) + ", not in a container", ""};
    if (is_engine_init(around.pid1_name))
        return {Level::Note, "seat", "below " + around.pid1_name + ": orphans of docker exec fall to it", "drop --init (\"init\": true): monoinit reaps by itself"};
    if (wrapper && around.subject_session == around.subject)
        return {Level::Note, "seat", "started detached by a Feature's entrypoint, below the wrapper shell of the devcontainers CLI: docker stop does not reach it", override_command};
    if (wrapper)
        return {Level::Note, "seat", "below the wrapper shell of the devcontainers CLI: docker stop does not reach it", override_command};
    if (around.subject_parent == 1 && around.subject_session == around.subject)
        return {Level::Note, "seat", "detached, below PID 1: " + pid1 + ": signals of the engine go there", "make monoinit the ENTRYPOINT"};
    return {Level::Note, "seat", "a process below \"" + around.parent_line + "\"; " + pid1, "make monoinit the ENTRYPOINT"};
}

std::vector<Finding> examine(const sys::Surroundings& around, const Patient& patient) {
    return Examination(around, patient).examine();
}

int doctor(Context& context, Words) {
    const Patient patient = find_patient(context);
    const std::string directory = patient.answers ? patient.socket.substr(0, patient.socket.rfind('/')) : "";
    const std::vector<Finding> findings = examine(sys::look_closely(patient.pid, directory), patient);
    const auto count = [&](Level level) {
        return static_cast<std::size_t>(std::ranges::count(findings, level, &Finding::level));
    };
    const std::size_t problems = count(Level::Problem), notes = count(Level::Note);
    if (context.options.json) {
        print_json(context, findings, problems);
    } else {
        Table table;
        for (const Finding& finding : findings)
            table.add({Cell{std::string(name_of(finding.level)), level_colors[static_cast<std::size_t>(finding.level)]}, Cell{finding.subject},
                       Cell{finding.text + (finding.fix.empty() ? "" : "  -> " + finding.fix)}});
        context.say("{}{} problem{}, {} note{}\n", table.render(context.color, 2), problems, problems == 1 ? "" : "s", notes, notes == 1 ? "" : "s");
    }
    return problems == 0 ? 0 : 1;
}

} // namespace monoinit::cli

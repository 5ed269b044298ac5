// systemd-detect-virt: in what container and on what virtual machine we run, in systemd's words. Judged by the real one in
// tests/system/tools.py.
#include "base/strings.hpp"
#include "cli/detect_virt.hpp"
#include "cli/programs.hpp"
#include "cli/tool.hpp"
#include "sys/proc.hpp"
#include "sys/real_files.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace monoinit::cli {

namespace {

constexpr ToolOption options[] = {
    {"container", 'c', Argument::None, "", "containers only"},
    {"vm", 'v', Argument::None, "", "virtual machines only"},
    {"chroot", 'r', Argument::None, "", "exit 0 if this is a chroot"},
    {"private-users", 0, Argument::None, "", "exit 0 if this is a user namespace"},
    {"cvm", 0, Argument::None, "", "confidential virtual machines only"},
    {"quiet", 'q', Argument::None, "", "print nothing"},
    {"list", 0, Argument::None, "", "the words there are"},
    {"list-cvm", 0, Argument::None, "", "the words of --cvm"},
};
constexpr Tool tool{"systemd-detect-virt", "[OPTIONS…]", "Tells in what container or on what virtual machine it runs: exit 0 and a word, or 1 and none.", options};

constexpr std::string_view machines[] = {"kvm", "amazon", "qemu", "bochs", "xen", "uml", "vmware", "oracle", "microsoft", "zvm", "parallels",
                                         "bhyve", "qnx", "acrn", "powervm", "apple", "sre", "google", "vm-other"};
constexpr std::string_view containers[] = {"systemd-nspawn", "lxc-libvirt", "lxc", "openvz", "docker", "podman", "rkt", "wsl", "proot", "pouch", "container-other"};
constexpr std::string_view confidential[] = {"none", "sev", "sev-es", "sev-snp", "tdx", "protvirt"};

struct Mark {
    std::string_view text, word;
};

/// What the firmware calls the machine; the beginning of a text.
constexpr Mark firmware_marks[] = {
    {"KVM", "kvm"},           {"OpenStack", "kvm"},       {"KubeVirt", "kvm"},         {"Amazon EC2", "amazon"},  {"QEMU", "qemu"},
    {"VMware", "vmware"},     {"VMW", "vmware"},          {"innotek GmbH", "oracle"},  {"VirtualBox", "oracle"},  {"Oracle Corporation", "oracle"},
    {"Xen", "xen"},           {"Bochs", "bochs"},         {"Parallels", "parallels"},  {"BHYVE", "bhyve"},        {"Hyper-V", "microsoft"},
    {"Apple Virtualization", "apple"}, {"Google Compute Engine", "google"}};

/// What a hypervisor calls itself to CPUID.
constexpr Mark cpu_marks[] = {{"XenVMMXenVMM", "xen"},     {"KVMKVMKVM", "kvm"},         {"Linux KVM Hv", "kvm"},  {"TCGTCGTCGTCG", "qemu"},
                              {"VMwareVMware", "vmware"},  {"Microsoft Hv", "microsoft"}, {"bhyve bhyve ", "bhyve"}, {"QNXQVMBSQG", "qnx"},
                              {"ACRNACRNACRN", "acrn"},    {"SRESRESRESRE", "sre"}};

std::string line_of(const std::string& path) {
    auto text = sys::RealFiles().read(path, 4096);
    return text ? std::string(base::trim(*text)) : std::string();
}

std::string_view firmware_word(const std::string& root) {
    for (const char* name : {"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"}) {
        const std::string said = line_of(root + "/sys/class/dmi/id/" + name);
        for (const Mark& mark : firmware_marks)
            if (said.starts_with(mark.text))
                return mark.word;
    }
    return "";
}

#if defined(__x86_64__) || defined(__i386__)
std::string cpu_says(unsigned leaf) {
    unsigned a = 0;
    std::array<unsigned, 3> text{};
    __cpuid_count(leaf, 0, a, text[0], text[1], text[2]);
    char bytes[sizeof text + 1] = {};
    std::memcpy(bytes, text.data(), sizeof text);
    return bytes;
}

std::string_view cpu_word() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned hypervisor_bit = 1U << 31, hypervisor_leaf = 0x40000000;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & hypervisor_bit) == 0)
        return "";
    const std::string said = cpu_says(hypervisor_leaf);
    for (const Mark& mark : cpu_marks)
        if (said == mark.text)
            return mark.word;
    return "vm-other";
}

std::string_view confidential_word() {
    constexpr unsigned tdx_leaf = 0x21;
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(0, &a, &b, &c, &d) != 0 && a >= tdx_leaf && std::string(cpu_says(tdx_leaf)) == "IntelTDX    ")
        return "tdx";
    return ::access("/dev/sev-guest", F_OK) == 0 ? "sev-snp" : "none";
}
#else
std::string_view cpu_word() { return ""; }

std::string_view confidential_word() { return line_of("/sys/firmware/uv/prot_virt_guest") == "1" ? "protvirt" : "none"; }
#endif

std::string_view device_tree_word(const std::string& root) {
    const std::string said = line_of(root + "/proc/device-tree/hypervisor/compatible");
    if (said.starts_with("linux,kvm"))
        return "kvm";
    if (said.find("xen") != std::string::npos)
        return "xen";
    if (said.find("vmware") != std::string::npos)
        return "vmware";
    return said.empty() ? "" : "vm-other";
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool is_chroot() {
    struct stat ours {}, its {};
    return ::stat("/", &ours) == 0 && ::stat("/proc/1/root", &its) == 0 && (ours.st_dev != its.st_dev || ours.st_ino != its.st_ino);
}

bool has_private_users() {
    const std::string map = line_of("/proc/self/uid_map");
    std::vector<std::string> numbers;
    for (const std::string_view word : base::split(map, ' '))
        if (!word.empty())
            numbers.emplace_back(word);
    return !numbers.empty() && numbers != std::vector<std::string>{"0", "0", "4294967295"};
}

bool print_list(std::span<const std::string_view> words) {
    bool good = true;
    for (const std::string_view word : words)
        good = put_out(std::string(word) + "\n") && good;
    return good;
}

} // namespace

std::string container_word(const std::string& root, const std::optional<std::string>& pid1_variable) {
    const std::string release = line_of(root + "/proc/sys/kernel/osrelease");
    if (release.find("Microsoft") != std::string::npos || release.find("WSL") != std::string::npos)
        return "wsl";
    if (exists(root + "/proc/vz") && !exists(root + "/proc/bc"))
        return "openvz";
    std::string said = line_of(root + "/run/host/container-manager");
    if (said.empty())
        said = pid1_variable.value_or("");
    if (said.empty())
        said = line_of(root + "/run/systemd/container");
    if (said.empty() || said == "oci") {
        if (exists(root + "/run/.containerenv"))
            return "podman";
        if (exists(root + "/.dockerenv"))
            return "docker";
        return said.empty() ? "none" : "container-other";
    }
    return std::find(std::begin(containers), std::end(containers), said) != std::end(containers) ? said : "container-other";
}

std::string machine_word(const std::string& root) {
    const std::string_view firmware = firmware_word(root);
    for (const std::string_view sure : {"oracle", "xen", "amazon", "parallels", "google"}) // their CPUs say kvm, or nothing
        if (firmware == sure)
            return std::string(sure);
    if (line_of(root + "/proc/cpuinfo").find("User Mode Linux") != std::string::npos)
        return "uml";
    const std::string_view cpu = cpu_word();
    if (!cpu.empty() && cpu != "vm-other")
        return std::string(cpu == "kvm" && firmware == "google" ? firmware : cpu);
    if (!firmware.empty())
        return std::string(firmware);
    if (line_of(root + "/sys/hypervisor/type") == "xen")
        return "xen";
    const std::string_view tree = device_tree_word(root);
    return !tree.empty() ? std::string(tree) : !cpu.empty() ? std::string(cpu) : "none";
}

int detect_virt_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    if (!line.words.empty())
        return complain("systemd-detect-virt takes no arguments.");
    if (line.has("list"))
        return put_out("none\n") && print_list(machines) && print_list(containers) ? 0 : 1;
    if (line.has("list-cvm"))
        return print_list(confidential) ? 0 : 1;
    if (line.has("chroot"))
        return is_chroot() ? 0 : 1;
    if (line.has("private-users"))
        return has_private_users() ? 0 : 1;
    std::string word = "none";
    if (line.has("cvm"))
        word = confidential_word();
    else if (!line.has("vm"))
        word = container_word("", sys::environment_value(1, "container"));
    if (word == "none" && !line.has("container") && !line.has("cvm"))
        word = machine_word("");
    if (!line.has("quiet"))
        (void)put_out(word + "\n");
    return word == "none" ? 1 : 0;
}

} // namespace monoinit::cli

#include "../memory_files.hpp"
#include "unit/generators.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

std::vector<std::string> paths(const MemoryFiles& files, const std::vector<std::string>& masks = machine_masks()) {
    std::vector<std::string> found;
    for (const Generator& generator : find_generators(files, generator_path(""), masks))
        found.push_back(generator.path);
    return found;
}

} // namespace

TEST_CASE("which generators there are to run", "[generators]") {
    MemoryFiles files;
    const std::string lib = "/usr/lib/systemd/system-generators/", etc = "/etc/systemd/system-generators/";
    files.file(lib + "postgresql-generator", "#!").file(lib + "tor-generator", "#!").file(lib + "off", "#!").file(lib + "empty", "#!").file(lib + "old.dpkg-old", "#!");
    files.link(etc + "off", "/dev/null").file(etc + "empty", "").link(etc + "tor-generator", "/opt/tor");
    files.file(lib + "systemd-fstab-generator", "#!").file(lib + "systemd-sysv-generator", "#!").file(lib + "systemd-rc-local-generator", "#!");
    CHECK(paths(files) == std::vector<std::string>{lib + "postgresql-generator", lib + "systemd-rc-local-generator", etc + "tor-generator"});
    files.file(etc + "systemd-fstab-generator", "#!"); // the administrator's own
    CHECK(paths(files).size() == 4);
    CHECK(paths(files, machine_masks({"!systemd-sysv-generator"})).size() == 5);
    CHECK(paths(MemoryFiles()).empty());
}

TEST_CASE("generators are looked for where the environment says", "[generators]") {
    CHECK(generator_path("").size() == 5);
    CHECK(generator_path("/a:/b") == std::vector<std::string>{"/a", "/b"});
    CHECK(generator_path("/a:").size() == 6);
    CHECK(init_script_places("/x:/y", "").scripts == std::vector<std::string>{"/x", "/y"});
    CHECK(init_script_places("", "").runlevels == std::vector<std::string>{"/etc"});
}

TEST_CASE("directories of generated units", "[generators]") {
    auto path = default_unit_path("", "");
    CHECK(place_generator_directories(path, generator_directories_in("/run/monoinit")));
    CHECK(path == [] {
        auto wanted = default_unit_path("", "");
        for (std::string& directory : wanted)
            if (directory.starts_with("/run/systemd/generator"))
                directory = "/run/monoinit" + directory.substr(12);
        return wanted;
    }());
    std::vector<std::string> own{"/my/units"};
    CHECK_FALSE(place_generator_directories(own, default_generator_directories()));
    CHECK(is_generated_path("/run/systemd/generator.early/a.service"));
    CHECK(is_generated_path("/tmp/monoinit-1000/generator"));
    CHECK_FALSE(is_generated_path("/etc/systemd/system/generator.service"));
    CHECK_FALSE(is_generated_path("/home/generator/a.service"));
}

TEST_CASE("what a generator made is a package's, so the list of machine units holds for it", "[generators]") {
    MemoryFiles files;
    for (const char* name : {"hwclock.service", "xinetd.service"})
        files.file(std::string("/run/systemd/generator.late/") + name, "[Service]\nExecStart=/bin/true\n");
    Environment place;
    place.unit_path = default_unit_path("", "");
    const Loader loader(files, place);
    CHECK(loader.load("hwclock.service")->machine_masked);
    CHECK(loader.load("xinetd.service")->load_state == LoadState::Loaded);
    CHECK(needs_no_init_script(loader, "procps.service"));
    CHECK(needs_no_init_script(loader, "xinetd.service"));
    CHECK(needs_no_init_script(loader, "multi-user.target"));
    CHECK_FALSE(needs_no_init_script(loader, "monit.service"));
}

#pragma once
// The links that `enable` made, and the preset files: what install.cpp and file_state() read.
// Tested by tests/unit/unit/install_test.cpp.

#include "unit/source.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

struct InstalledLink {
    std::string path, name;
    std::string target;    ///< absolute and normalized
    std::string directory; ///< the .wants, .requires or .upholds directory; empty for a link beside the unit files

    bool is_mask() const { return target == "/dev/null"; }
    std::string_view target_name() const;
};

struct EnablingLinks {
    std::vector<InstalledLink> config, runtime; ///< of /etc/systemd/system and /run/systemd/system
};

/// Every symlink named like a unit in `directory` and its .wants, .requires and .upholds directories.
std::vector<InstalledLink> installed_links(const FileSource& tree, const std::string& directory);

/// system-preset directories, read once: the first rule that fits a unit decides, no rule means enable.
class Presets {
  public:
    enum class Verdict : unsigned char { Enable, Disable, Ignore };

    explicit Presets(const FileSource& tree);
    /// For a template `instances` gets those the rule names.
    Verdict verdict(std::string_view name, std::vector<std::string>* instances = nullptr) const;

  private:
    struct Rule {
        Verdict verdict;
        std::string pattern;
        std::vector<std::string> instances;
    };
    void read(const FileSource& tree, const std::string& path);

    std::vector<Rule> rules_;
};

} // namespace monoinit::unit

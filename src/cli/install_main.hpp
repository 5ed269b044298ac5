#pragma once
// The steps of `monoinit install`. Tested by tests/unit/cli/install_main_test.cpp on a temporary root and, with dpkg, by
// tests/container/install.

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::cli {

class Installer {
  public:
    /// `root`: where the files are, empty for /. dpkg is asked only there.
    explicit Installer(std::string root) : root_(std::move(root)) {}
    /// `binary` as links shall name it. Returns the exit status.
    int run(const std::string& binary, bool systemctl);
    /// Takes back what run() made, with or without --systemctl; what it had moved aside returns.
    int remove(const std::string& binary);

  private:
    enum class Way : unsigned char { Add, Remove };
    void say(const std::string& text);
    void fail(const std::string& what, const std::string& path);
    bool exists(const std::string& path) const;
    bool is_merged() const;
    std::vector<std::string> linked(const std::string& binary, bool systemctl) const;
    std::vector<std::string> diverted() const;
    void link(const std::string& binary, const std::string& path);
    void divert(const std::string& path);
    void restore(const std::string& path);
    bool has_dpkg() const;
    bool ask_dpkg(const std::string& path, Way way);
    bool is_ours(const std::string& path) const;
    void write(const std::string& path, std::string_view text, unsigned mode);
    void make_directory_of(const std::string& path);
    void unlink(const std::string& path);

    std::string root_;
    int status_ = 0;
};

} // namespace monoinit::cli

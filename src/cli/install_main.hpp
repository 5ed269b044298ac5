#pragma once
// The steps of `monoinit install`. Tested by tests/unit/cli/install_main_test.cpp on a temporary root.

#include <string>
#include <string_view>

namespace monoinit::cli {

class Installer {
  public:
    explicit Installer(std::string root) : root_(std::move(root)) {}
    /// `binary` as links shall name it. Returns the exit status.
    int run(const std::string& binary, bool systemctl);

  private:
    void say(const std::string& text);
    void fail(const std::string& what, const std::string& path);
    bool is_merged(const std::string& directory) const;
    void link(const std::string& binary, const std::string& path);
    void divert(const std::string& path);
    bool is_ours(const std::string& path) const;
    void write(const std::string& path, std::string_view text);

    std::string root_;
    int status_ = 0;
};

} // namespace monoinit::cli

#pragma once
// RuntimeDirectory= and kin: making them (in the guard), removing trees (in a probe). Safe against symlinks that a service
// planted in a directory it owns. Tested by tests/unit/exec.

#include "base/result.hpp"
#include "exec/plan.hpp"

#include <string>

namespace monoinit::exec {

/// Makes root/path with its mode, owned by uid:gid (Configuration: left to root), and its symlinks. Parents are 0755.
/// An existing tree changes its owner only when its top has another one.
base::Result<void> make_directory(const DirectoryPlan& plan, uid_t uid, gid_t gid);

/// rm -rf without following symlinks or leaving the file system; fine when it does not exist.
base::Result<void> remove_tree(const std::string& path);

} // namespace monoinit::exec

#pragma once
// Where unit files come from: base/files.hpp, under the names this module uses.

#include "base/files.hpp"

namespace monoinit::unit {

using base::DirEntry;
using base::FileSource;
using base::FileTree;

} // namespace monoinit::unit

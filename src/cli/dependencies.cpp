// list-dependencies: the init answers direct neighbours, the tree is walked here. Tested by tests/unit/cli/dependencies_test.cpp.
#include "cli/dependencies.hpp"

#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace monoinit::cli {

namespace {

Names kinds_of(const Options& options) {
    if (options.after)
        return {"After"};
    if (options.before)
        return {"Before"};
    if (options.reverse)
        return {"RequiredBy", "RequisiteOf", "WantedBy", "BoundBy", "UpheldBy", "PartOf"};
    return {"Requires", "Requisite", "Wants", "BindsTo", "Upholds", "ConsistsOf"};
}

bool is_target(const std::string& name) { return name.ends_with(".target"); }

std::pair<std::string_view, Color> dot_of(const Neighbour& unit) {
    if (unit.active_state == "failed")
        return {"×", Color::Red};
    if (unit.active_state == "active")
        return {"●", Color::Green};
    if (unit.active_state == "reloading" || unit.active_state == "activating" || unit.active_state == "deactivating")
        return {unit.active_state == "reloading" ? "↻" : "●", Color::Yellow};
    return {"○", Color::None};
}

class Tree {
  public:
    Tree(const NeighboursOf& neighbours_of, const TreeOptions& options) : neighbours_of_(neighbours_of), options_(options) {}

    std::string draw(const std::string& root) {
        out_ = root + "\n";
        below(root, "", 0);
        return options_.json ? json_object({{"unit", json_string(root)}, {"dependencies", json_array(rows_)}}) : std::move(out_);
    }

  private:
    const std::vector<Neighbour>& children(const std::string& unit) {
        const auto [it, fresh] = known_.try_emplace(unit);
        if (!fresh)
            return it->second;
        std::vector<Neighbour> list = neighbours_of_(unit);
        std::sort(list.begin(), list.end(), [](const Neighbour& a, const Neighbour& b) {
            return std::pair(is_target(a.name), a.name) < std::pair(is_target(b.name), b.name);
        });
        list.erase(std::unique(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name == b.name; }), list.end());
        return it->second = std::move(list);
    }
    void below(const std::string& unit, const std::string& branch, std::size_t depth) {
        if (depth > 64)
            return;
        path_.insert(unit);
        const std::vector<Neighbour> list = children(unit);
        for (std::size_t i = 0; i < list.size(); i++) {
            const bool last = i + 1 == list.size();
            const auto [dot, paint_with] = dot_of(list[i]);
            if (!options_.plain)
                out_ += paint(dot, paint_with, options_.color) + " " + branch + (last ? "└─" : "├─");
            else
                out_ += std::string(2 * (depth + 1), ' ');
            const bool again = path_.contains(list[i].name) || (options_.plain && drawn_.contains(list[i].name));
            out_ += list[i].name + (path_.contains(list[i].name) ? " ..." : "") + "\n";
            rows_.push_back(json_object({{"unit", json_string(list[i].name)},
                                         {"needed_by", json_string(unit)},
                                         {"depth", std::to_string(depth + 1)},
                                         {"active_state", json_string(list[i].active_state)}}));
            drawn_.insert(list[i].name);
            if (!again && (options_.all || is_target(list[i].name)))
                below(list[i].name, branch + (last ? "  " : "│ "), depth + 1);
        }
        path_.erase(unit);
    }

    const NeighboursOf& neighbours_of_;
    const TreeOptions& options_;
    std::map<std::string, std::vector<Neighbour>> known_;
    std::set<std::string> path_, drawn_;
    std::string out_;
    std::vector<std::string> rows_; ///< the same as JSON
};

} // namespace

std::string draw_dependencies(const std::string& root, const NeighboursOf& neighbours_of, const TreeOptions& options) {
    return Tree(neighbours_of, options).draw(root);
}

Names with_dependencies(Context& context, const Names& units) {
    Names all;
    for (const std::string& unit : units) {
        all.push_back(unit);
        if (!context.options.with_dependencies)
            continue;
        const auto reply = ask<control::DependenciesReply>(context, control::DependenciesRequest{unit, kinds_of(context.options)});
        for (const control::Dependency& dependency : reply ? reply->dependencies : std::vector<control::Dependency>{})
            if (std::ranges::find(all, dependency.unit) == all.end())
                all.push_back(dependency.unit);
    }
    return all;
}

int list_dependencies(Context& context, Words words) {
    const auto units = expand(context, words.empty() ? Names{"default.target"} : words);
    if (!units) {
        context.complain("{}: {}", context.program, units.error().what);
        return 1;
    }
    std::optional<base::Error> error;
    const Names kinds = kinds_of(context.options);
    const NeighboursOf neighbours = [&](const std::string& unit) {
        std::vector<Neighbour> list;
        const auto reply = ask<control::DependenciesReply>(context, control::DependenciesRequest{unit, kinds});
        if (!reply) {
            error = error ? error : reply.error();
            return list;
        }
        for (const control::Dependency& dependency : reply->dependencies)
            list.push_back({dependency.unit, dependency.active_state});
        return list;
    };
    const TreeOptions options{.all = context.options.all, .plain = context.options.plain, .json = context.options.json, .color = context.color};
    Names trees;
    for (std::size_t i = 0; i < units->size(); i++) {
        const std::string tree = draw_dependencies((*units)[i], neighbours, options);
        if (error) {
            if (context.systemctl() || error->code != base::Errc::NotFound)
                context.complain("{}: {}", context.program, error->what);
            else
                context.complain("{}: {}", unit::short_name((*units)[i]), error->what);
            return !context.systemctl() && error->code == base::Errc::NotFound ? 4 : 1;
        }
        if (context.options.json)
            trees.push_back(tree);
        else
            context.out += (i == 0 ? "" : "\n") + tree;
    }
    if (context.options.json)
        context.print("{}\n", json_array(trees));
    return 0;
}

} // namespace monoinit::cli

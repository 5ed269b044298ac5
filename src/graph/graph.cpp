// Builds the flat graph in three passes: resolve each declared dependency to a pair of edges, count them per unit, fill
// the rows; then each row is sorted and freed of doubles (a .wants/ link beside a Wants= line).
// Tested by tests/unit/graph/graph_test.cpp.

#include "graph/graph.hpp"

#include <algorithm>

namespace monoinit::graph {

namespace {

struct Declared {
    UnitId from;
    Edge edge;
};

bool earlier(const Edge& a, const Edge& b) {
    if (a.relation != b.relation)
        return a.relation < b.relation;
    if (a.to != b.to)
        return a.to < b.to;
    if (a.inverse != b.inverse)
        return !a.inverse; // the unit's own words are the better reason
    return a.dependency < b.dependency;
}

std::vector<Declared> resolve_all(const std::vector<const unit::UnitConfig*>& by_id,
                                  const Graph::Resolve& resolve) {
    std::vector<Declared> all;
    for (std::size_t i = 0; i < by_id.size(); i++) {
        if (by_id[i] == nullptr)
            continue;
        const UnitId from{static_cast<std::uint32_t>(i + 1)};
        const auto& dependencies = by_id[i]->unit.dependencies;
        for (std::size_t n = 0; n < dependencies.size(); n++) {
            const auto relation = relation_of(dependencies[n].kind);
            const UnitId to = relation ? resolve(dependencies[n].name) : UnitId{};
            if (!to || to == from) // a unit that names itself means nothing by it
                continue;
            const auto index = static_cast<std::uint32_t>(n);
            all.push_back({from, {to, *relation, false, index}});
            all.push_back({to, {from, inverse(*relation), true, index}});
        }
    }
    return all;
}

/// "web.service"; a drop-in with its directory, "web.service.d/limits.conf".
std::string_view short_path(std::string_view file) {
    const std::size_t slash = file.rfind('/');
    if (slash == std::string_view::npos)
        return file;
    if (slash == 0 || !file.substr(0, slash).ends_with(".d"))
        return file.substr(slash + 1);
    return file.substr(file.rfind('/', slash - 1) + 1); // npos + 1 == 0: the whole of it
}

} // namespace

void Graph::build(std::vector<const unit::UnitConfig*> by_id, const Resolve& resolve) {
    configs_ = std::move(by_id);
    const std::vector<Declared> all = resolve_all(configs_, resolve);

    first_.assign(configs_.size() + 1, 0);
    for (const Declared& each : all)
        first_[each.from.value]++;
    for (std::size_t i = 1; i < first_.size(); i++)
        first_[i] += first_[i - 1];

    std::vector<Edge> rows(all.size());
    std::vector<std::uint32_t> next(first_.begin(), first_.end());
    for (const Declared& each : all)
        rows[next[each.from.value - 1]++] = each.edge;

    edges_.clear();
    edges_.reserve(rows.size());
    present_.assign(configs_.size(), 0);
    for (std::size_t i = 0; i < configs_.size(); i++) {
        const auto begin = rows.begin() + first_[i];
        const auto end = rows.begin() + first_[i + 1];
        std::sort(begin, end, earlier);
        first_[i] = static_cast<std::uint32_t>(edges_.size());
        std::unique_copy(begin, end, std::back_inserter(edges_), [](const Edge& a, const Edge& b) {
            return a.relation == b.relation && a.to == b.to;
        });
        for (std::size_t e = first_[i]; e < edges_.size(); e++)
            present_[i] |= relation_bit(edges_[e].relation);
    }
    first_[configs_.size()] = static_cast<std::uint32_t>(edges_.size());
}

std::span<const Edge> Graph::edges(UnitId unit) const {
    if (!unit || unit.value >= first_.size())
        return {};
    const std::size_t begin = first_[unit.value - 1];
    return std::span(edges_).subspan(begin, first_[unit.value] - begin);
}

std::span<const Edge> Graph::edges(UnitId unit, Relation relation) const {
    const auto all = edges(unit);
    const auto [begin, end] = std::equal_range(
        all.begin(), all.end(), Edge{{}, relation}, [](const Edge& a, const Edge& b) { return a.relation < b.relation; });
    return {begin, end};
}

bool Graph::has(UnitId unit, Atom atom, UnitId other) const {
    std::uint32_t wanted = present(unit) & relations_with(atom);
    for (unsigned i = 0; wanted != 0; i++, wanted >>= 1) {
        if ((wanted & 1U) == 0)
            continue;
        const auto row = edges(unit, static_cast<Relation>(i));
        const auto at = std::lower_bound(
            row.begin(), row.end(), other, [](const Edge& edge, UnitId id) { return edge.to < id; });
        if (at != row.end() && at->to == other)
            return true;
    }
    return false;
}

bool Graph::is_plain_group(UnitId unit) const {
    const unit::UnitConfig* const config = unit && unit.value <= configs_.size() ? configs_[unit.value - 1] : nullptr;
    return config != nullptr && config->type == unit::UnitType::Slice && config->builtin;
}

std::uint32_t Graph::present(UnitId unit) const {
    return unit && unit.value <= present_.size() ? present_[unit.value - 1] : 0;
}

std::string Graph::directive(const Edge& edge) {
    std::string text(name(edge.inverse ? inverse(edge.relation) : edge.relation));
    return text += '=';
}

std::string Graph::describe(UnitId unit, const Edge& edge) const {
    std::string text = directive(edge);
    const UnitId declarer = edge.inverse ? edge.to : unit;
    const unit::UnitConfig* config = configs_[declarer.value - 1];
    if (config == nullptr || edge.dependency >= config->unit.dependencies.size())
        return text;
    const unit::Dependency& dependency = config->unit.dependencies[edge.dependency];
    if (dependency.origin == unit::Origin::Link)
        return text += " (enabled link)";
    if (dependency.origin != unit::Origin::File || dependency.file >= config->files.size())
        return text;
    text += " (";
    text += short_path(config->files[dependency.file]);
    text += ':';
    text += std::to_string(dependency.line);
    return text += ')';
}

} // namespace monoinit::graph

// initctl ports: what services say they serve (X-Ports=, and checks of their own health), and what they really listen on.
// Tested by tests/unit/cli/ports_test.cpp and tests/system/run.py.
#include "cli/ports.hpp"

#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/port_holder.hpp"
#include "cli/processes.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "unit/health_target.hpp"
#include "unit/install_links.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::cli {

namespace {

bool is_local(const std::string& host) { return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == "0.0.0.0"; }

void add(std::vector<std::uint16_t>& ports, std::uint16_t port) {
    if (std::find(ports.begin(), ports.end(), port) == ports.end())
        ports.push_back(port);
}

/// Units that a boot starts, by their files: this works while an image is built, too. And those that run.
std::vector<PortRow> declared(Context& context) {
    std::vector<PortRow> rows;
    Names running;
    if (context.has_init())
        if (const auto units = ask<control::ListReply>(context, control::ListRequest{}))
            for (const control::UnitSummary& summary : units->units)
                if (summary.active_state != "inactive")
                    running.push_back(summary.name);
    const unit::Loader& loader = context.loader();
    for (const std::string& name : loader.all_names()) {
        if (!name.ends_with(".service") || unit::is_template(name))
            continue;
        const auto state = unit::file_state(context.files(), loader, name, context.install_options());
        const bool runs = std::find(running.begin(), running.end(), name) != running.end();
        if (state != unit::FileState::Enabled && state != unit::FileState::EnabledRuntime && !runs)
            continue;
        for (const auto& config : loader.load_closure({name}))
            if (config->name == name && config->load_state == unit::LoadState::Loaded)
                for (const std::uint16_t port : declared_ports(*config))
                    rows.push_back({name, port, "", 0, true});
    }
    return rows;
}

/// What the processes of running services listen on.
void add_listening(Context& context, std::vector<PortRow>& rows) {
    const auto units = ask<control::ListReply>(context, control::ListRequest{});
    if (!units)
        return;
    const std::vector<Listener> listeners = all_listeners();
    for (const control::UnitSummary& summary : units->units)
        for (const Process& process : processes_of(summary, false))
            for (const Listener& listener : held_listeners(process.pid, listeners)) {
                const auto known = std::find_if(rows.begin(), rows.end(), [&](const PortRow& row) {
                    return row.unit == summary.name && row.port == listener.port && (row.pid == 0 || row.address == listener.address);
                });
                if (known == rows.end())
                    rows.push_back({summary.name, listener.port, listener.address, process.pid, false});
                else if (known->pid == 0)
                    known->address = listener.address, known->pid = process.pid;
            }
}

} // namespace

std::vector<std::uint16_t> declared_ports(const unit::UnitConfig& config) {
    std::vector<std::uint16_t> ports = config.service->ports;
    for (const unit::HealthCheck& check : config.health->checks) {
        for (const std::string& target : check.tcp_connect)
            if (const auto tcp = unit::parse_tcp_target(target); tcp && is_local(tcp->host))
                add(ports, tcp->port);
        for (const std::string& target : check.http_get)
            if (const auto http = unit::parse_http_target(target); http && is_local(http->address.host))
                add(ports, http->address.port);
    }
    return ports;
}

std::string render_ports(const std::vector<PortRow>& rows, bool color) {
    if (rows.empty())
        return "no service listens, and none says which ports it serves (X-Ports= in [Service])\n";
    Table table;
    table.add({Cell("UNIT"), Cell("PORT", Color::None, true), Cell("ADDRESS"), Cell("PID", Color::None, true), Cell("NOTE")});
    for (const PortRow& row : rows)
        table.add({Cell(std::string(unit::short_name(row.unit))), Cell(std::to_string(row.port), Color::None, true), Cell(row.address),
                   Cell(row.pid == 0 ? "–" : std::to_string(row.pid), Color::None, true),
                   Cell(row.pid == 0 ? "declared, nobody listens" : row.declared ? "" : "not declared")});
    return table.render(color, 2);
}

std::string devcontainer_ports(const std::vector<PortRow>& rows) {
    std::vector<std::uint16_t> ports;
    std::vector<std::string> numbers, attributes;
    for (const PortRow& row : rows) {
        if (!row.declared || std::find(ports.begin(), ports.end(), row.port) != ports.end())
            continue;
        ports.push_back(row.port);
        numbers.push_back(std::to_string(row.port));
        attributes.push_back(json_string(numbers.back()) + ": " + json_object({{"label", json_string(unit::short_name(row.unit))}}));
    }
    return json_object({{"forwardPorts", json_array(numbers)}, {"portsAttributes", "{" + base::join(attributes, ", ") + "}"}});
}

int ports(Context& context, Words) {
    std::vector<PortRow> rows = declared(context);
    if (context.options.devcontainer) {
        context.out += devcontainer_ports(rows) + "\n";
        return 0;
    }
    if (context.has_init())
        add_listening(context, rows);
    std::stable_sort(rows.begin(), rows.end(), [](const PortRow& a, const PortRow& b) { return std::tie(a.unit, a.port) < std::tie(b.unit, b.port); });
    if (!context.options.json) {
        context.out += render_ports(rows, context.color);
        return 0;
    }
    std::vector<std::string> items;
    for (const PortRow& row : rows)
        items.push_back(json_object({{"unit", json_string(row.unit)}, {"port", std::to_string(row.port)}, {"address", json_string(row.address)},
                                     {"pid", std::to_string(row.pid)}, {"declared", row.declared ? "true" : "false"}}));
    context.out += json_object({{"ports", json_array(items)}}) + "\n";
    return 0;
}

} // namespace monoinit::cli

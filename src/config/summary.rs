//! What a configuration comes to, client by client, for `rialto check` and the API. No secrets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

use crate::base::text::row;
use crate::base::{Asn, Family};
use crate::rib::MedMode;
use crate::server::exchange::{LimitAction, PrefixLimits};

use super::client::{CONNECT_RETRY_S, GRACEFUL_RESTART_S, IDLE_HOLD_MAX_S, IDLE_HOLD_S};
use super::export::ClientName;
use super::import::NextHopMode;
use super::model::{ClientConfig, Config, Role};

/// The effective configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub files: Vec<PathBuf>,
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    pub listen: Vec<SocketAddr>,
    pub med: &'static str,
    pub session_cores: u16,
    pub shards: u16,
    pub api: Vec<SocketAddr>,
    pub control_socket: PathBuf,
    pub startup_wait: bool,
    /// "action form", as the control communities are recognised.
    pub communities: Vec<CommunityForm>,
    pub clients: Vec<ClientSummary>,
}

#[derive(Clone, Debug, Serialize)]
pub struct CommunityForm {
    pub action: &'static str,
    pub form: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct ClientSummary {
    pub name: String,
    pub asn: Asn,
    pub address: IpAddr,
    pub next_hops: Vec<IpAddr>,
    pub families: Vec<Family>,
    pub passive: bool,
    pub port: u16,
    pub hold_time_s: u16,
    pub add_path: bool,
    pub hide_own_as: bool,
    pub md5: bool,
    pub ttl_security_hops: Option<u8>,
    pub disabled: bool,
    pub quarantined: bool,
    /// What is not the default about the session, beside the above.
    pub session: Vec<String>,
    /// The import checks that are on, in words.
    pub import: Vec<String>,
    /// What it registered, and how that is read; empty where it is not asked.
    pub irr: Vec<String>,
    /// What is special about the routes it is sent, and about who has its.
    pub export: Vec<String>,
    pub limits: Vec<String>,
    pub attributes_discard: Vec<u8>,
    pub attributes_treat_as_withdraw: Vec<u8>,
}

impl Summary {
    pub fn of(config: &Config) -> Summary {
        let form = |(action, form): (crate::policy::ControlAction, String)| CommunityForm {
            action: action.name(),
            form,
        };
        Summary {
            files: config.files.clone(),
            asn: config.server.asn,
            router_id: config.server.router_id,
            listen: config.server.listen.clone(),
            med: match config.server.med {
                MedMode::SameAs => "same_as",
                MedMode::Always => "always",
                MedMode::Ignore => "ignore",
            },
            session_cores: config.cores.sessions,
            shards: config.cores.shards,
            api: config.api.clone(),
            control_socket: config.control.clone(),
            startup_wait: config.startup.wait,
            communities: config.scheme.forms().map(form).collect(),
            clients: config
                .clients
                .iter()
                .map(|client| ClientSummary::of(client, config))
                .collect(),
        }
    }
}

impl ClientSummary {
    pub fn of(client: &ClientConfig, config: &Config) -> ClientSummary {
        ClientSummary {
            name: client.name.clone(),
            asn: client.asn,
            address: client.address,
            next_hops: client.next_hops.clone(),
            families: client.families.iter().collect(),
            passive: client.passive,
            port: client.port,
            hold_time_s: client.hold_time_s,
            add_path: client.add_path,
            hide_own_as: client.hide_own_as,
            md5: client.password.is_some(),
            ttl_security_hops: client.ttl_security_hops,
            disabled: client.disabled.is_some(),
            quarantined: client.quarantine,
            session: session(client),
            import: import_checks(client, config),
            limits: limits(client),
            irr: irr(client),
            export: export(client),
            attributes_discard: client.attributes.discard.iter().collect(),
            attributes_treat_as_withdraw: client.attributes.treat_as_withdraw.iter().collect(),
        }
    }

    fn session_row(&self) -> String {
        let families = self
            .families
            .iter()
            .map(|family| family.name())
            .collect::<Vec<_>>()
            .join("+");
        let mut words = vec![families, format!("hold {} s", self.hold_time_s)];
        words.push(if self.passive {
            "passive".to_owned()
        } else {
            format!("active to port {}", self.port)
        });
        let switches = [
            (self.add_path, "add_path"),
            (self.hide_own_as, "hide_own_as"),
            (self.md5, "TCP MD5"),
            (self.quarantined, "QUARANTINED"),
            (self.disabled, "DISABLED"),
        ];
        words.extend(
            switches
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, word)| (*word).to_owned()),
        );
        words.extend(
            self.ttl_security_hops
                .map(|hops| format!("ttl_security {hops}")),
        );
        words.extend(self.session.iter().cloned());
        words.join(", ")
    }
}

/// In the order of the keys.
fn session(client: &ClientConfig) -> Vec<String> {
    let seconds = [
        ("connect_retry", client.connect_retry_s, CONNECT_RETRY_S),
        ("idle_hold", client.idle_hold_s, IDLE_HOLD_S),
        ("idle_hold_max", client.idle_hold_max_s, IDLE_HOLD_MAX_S),
    ];
    let restart_s = Some(client.graceful_restart_s).filter(|own| *own != GRACEFUL_RESTART_S);
    let restart = restart_s.map(|own| match own {
        0 => "no graceful restart".to_owned(),
        own => format!("graceful_restart_s {own}"),
    });
    let helper_s = Some(client.graceful_restart_helper_s).filter(|own| *own > 0);
    let helper = helper_s.map(|own| format!("graceful_restart_helper_s {own}"));
    let llgr = (["llgr_ipv4_s", "llgr_ipv6_s"].iter()).zip(client.llgr_max_s);
    let llgr = llgr.filter(|(_, own)| *own > 0);
    let seconds = seconds.iter().filter(|(_, own, usual)| own != usual);
    let pace = client.min_advertisement;
    let no_extended = (!client.extended_messages).then(|| "no extended_messages".to_owned());
    let send_hold_time = client.send_hold_time_s;
    let congestion_control = client.congestion_control.as_ref();
    no_extended
        .into_iter()
        .chain(pace.map(|ms| format!("min_advertisement_ms {}", ms.as_millis())))
        .chain(seconds.map(|(key, own, _)| format!("{key} {own} s")))
        .chain(send_hold_time.map(|own| format!("send_hold_time {own} s")))
        .chain(restart)
        .chain(helper)
        .chain(llgr.map(|(key, own)| format!("{key} {own}")))
        .chain(congestion_control.map(|name| format!("congestion_control {name}")))
        .collect()
}

/// The checks that are on, with their bounds; those whose data is not configured are off.
fn import_checks(client: &ClientConfig, config: &Config) -> Vec<String> {
    let import = &client.import;
    let mut checks = Vec::new();
    if import.next_hop != NextHopMode::Off {
        checks.push(format!("next_hop {}", import.next_hop.name()));
    }
    checks.extend(import.as_path_max.map(|max| format!("as_path_max {max}")));
    let communities_max = import.communities_max;
    checks.extend(communities_max.map(|max| format!("communities_max {max}")));
    for family in client.families.iter() {
        if let Some((min, max)) = import.prefix_length[family.index()] {
            checks.push(format!("prefix_length {family} {min}-{max}"));
        }
    }
    let is_effective = |key: &str| match key {
        "rpki_invalid" | "rpki_unknown" | "aspa_invalid" => !config.rpki.is_empty(),
        "irr_prefix" => {
            let irr = &client.irr;
            let by_roas = irr.rpki_roas_as_route_objects && !irr.sources.is_empty();
            irr.sources.names_prefixes() || by_roas
        }
        "irr_origin" => client.irr.sources.names_origins(),
        "black_list" => !config.lists.black_list.is_empty(),
        "own_prefixes" => !config.server.lan.is_empty(),
        "never_via_route_servers" => !config.lists.never_via_route_servers_asns.is_empty(),
        "blackhole" => config.blackhole.families != [false; 2],
        _ => true,
    };
    let switches = import.switches();
    checks.extend(
        switches
            .filter(|(key, on)| *on && is_effective(key))
            .map(|(key, _)| key.to_owned()),
    );
    if client.role != Role::Off {
        checks.push("route_leak".to_owned());
    }
    if !import.black_list_prefixes.is_empty() {
        let count = import.black_list_prefixes.len();
        checks.push(format!("black_list_prefixes ({count})"));
    }
    if !import.tag.is_empty() {
        let names: Vec<_> = import.tag.iter().map(|reason| reason.name()).collect();
        checks.push(format!("only tagged: {}", names.join(" ")));
    }
    checks
}

/// In the order of the keys of `irr`.
fn irr(client: &ClientConfig) -> Vec<String> {
    let irr = &client.irr;
    if irr.sources.is_empty() {
        return Vec::new();
    }
    let counts = [
        ("prefixes", irr.sources.prefixes.len()),
        ("origins", irr.sources.origins.len()),
        ("white_list_prefixes", irr.white_list_prefixes.len()),
        ("white_list_origins", irr.white_list_origins.len()),
        ("white_list_routes", irr.white_list_routes.len()),
    ];
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    let switches = [
        ("allow_longer_prefixes", irr.allow_longer_prefixes),
        ("rpki_roas_as_route_objects", irr.rpki_roas_as_route_objects),
    ];
    let switches = switches.iter().filter(|(_, on)| *on);
    let as_sets = irr.sources.as_sets.iter().cloned();
    as_sets
        .chain(counts.map(|(key, count)| format!("{key} ({count})")))
        .chain(switches.map(|(key, _)| (*key).to_owned()))
        .collect()
}

/// What is not the default, in the order of the keys.
fn export(client: &ClientConfig) -> Vec<String> {
    let matrix = &client.matrix;
    let role = match client.role {
        Role::Off => "",
        Role::On => "role",
        Role::Strict => "role strict",
    };
    let switches = [
        (client.role != Role::Off, role),
        (client.prepend_rs_as, "prepend_rs_as"),
        (client.ipv6_next_hops, "ipv6_next_hops"),
        (client.obeys_well_known, "rfc1997 obey"),
        (!client.takes_blackholes, "no blackhole routes"),
    ];
    let switches = switches.iter().filter(|(on, _)| *on);
    let listed = |key: &'static str, names: &[ClientName]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        format!("{key} {}", names.join(" "))
    };
    let only = |key, names: &Option<Vec<ClientName>>| {
        names.as_ref().map(|names| match names.is_empty() {
            true => format!("{key} no one"),
            false => listed(key, names),
        })
    };
    let not = |key, names: &[ClientName]| (!names.is_empty()).then(|| listed(key, names));
    let matrix = [
        only("announce_only_to", &matrix.announce_only_to),
        not("do_not_announce_to", &matrix.do_not_announce_to),
        only("receive_only_from", &matrix.receive_only_from),
        not("do_not_receive_from", &matrix.do_not_receive_from),
    ];
    let rtt = client
        .rtt_us
        .map(|us| format!("rtt {} ms", f64::from(us) / 1_000.0));
    switches
        .map(|(_, word)| (*word).to_owned())
        .chain(matrix.into_iter().flatten())
        .chain(rtt)
        .collect()
}

fn limits(client: &ClientConfig) -> Vec<String> {
    let mut limits = Vec::new();
    for family in client.families.iter() {
        let PrefixLimits {
            received_max,
            accepted_max,
            accepted_action,
        } = client.limits[family.index()];
        limits.extend(received_max.map(|max| format!("{family} received_max {max}")));
        limits.extend(
            accepted_max
                .map(|max| format!("{family} accepted_max {max} ({})", action(accepted_action))),
        );
    }
    let octets_max = client.attribute_octets_max;
    limits.extend(octets_max.map(|max| format!("attribute_octets_max {max}")));
    limits.extend(
        client
            .updates_per_s
            .map(|max| format!("updates_per_s {max}")),
    );
    match client.limit_restart {
        Some(after) => limits.push(format!("restart after {} s", after.as_secs())),
        None => limits.push("no restart".to_owned()),
    }
    limits
}

const fn action(action: LimitAction) -> &'static str {
    match action {
        LimitAction::Warn => "warn",
        LimitAction::Block => "block",
        LimitAction::Reject => "reject",
        LimitAction::Shutdown => "shutdown",
        LimitAction::Restart => "restart",
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &[SocketAddr]| {
            items
                .iter()
                .map(SocketAddr::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let server = format!(
            "AS{}, router id {}, listening on {}",
            self.asn,
            self.router_id,
            list(&self.listen)
        );
        f.write_str(&row("server", &server, 9))?;
        writeln!(
            f,
            "threads  {} for sessions, {} for shards",
            self.session_cores, self.shards
        )?;
        writeln!(
            f,
            "api      {}",
            if self.api.is_empty() {
                "off".to_owned()
            } else {
                list(&self.api)
            }
        )?;
        writeln!(f, "control  {}", self.control_socket.display())?;
        for client in &self.clients {
            writeln!(
                f,
                "\n{}  AS{} at {}: {}",
                client.name,
                client.asn,
                client.address,
                client.session_row()
            )?;
            let import = if client.import.is_empty() {
                "no checks".to_owned()
            } else {
                client.import.join(", ")
            };
            f.write_str(&row("  import", &import, 10))?;
            for (name, words) in [("  irr", &client.irr), ("  export", &client.export)] {
                if !words.is_empty() {
                    f.write_str(&row(name, &words.join(", "), 10))?;
                }
            }
            f.write_str(&row("  limits", &client.limits.join(", "), 10))?;
            let codes = |codes: &[u8]| {
                codes
                    .iter()
                    .map(u8::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            if !client.attributes_discard.is_empty() {
                writeln!(
                    f,
                    "  attributes discarded  {}",
                    codes(&client.attributes_discard)
                )?;
            }
            if !client.attributes_treat_as_withdraw.is_empty() {
                writeln!(
                    f,
                    "  attributes that withdraw  {}",
                    codes(&client.attributes_treat_as_withdraw)
                )?;
            }
        }
        Ok(())
    }
}

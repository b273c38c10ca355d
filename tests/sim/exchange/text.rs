//! The configuration as its text.

use std::fmt::{Display, Write};

use super::member::{Import, Registration};
use super::{BLACKHOLE_V4, BLACKHOLE_V6, Member, Plan, SERVER_ASN};
use crate::oracle::{Communities, Form, Lists, Matrix, Med, Range, Who};

/// A list of strings.
fn texts<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let quoted = items.into_iter().map(|item| format!("\"{item}\""));
    format!("[{}]", quoted.collect::<Vec<_>>().join(", "))
}

fn forms(forms: &[Form]) -> String {
    texts(forms.iter().map(|form| form.text))
}

impl Plan {
    pub(super) fn config_text(&self) -> String {
        let med = match self.med {
            Med::SameAs => "same_as",
            Med::Always => "always",
            Med::Ignore => "ignore",
        };
        let lan = self.lists.lan.iter().copied().map(Range::exact);
        let mut text = format!(
            "[server]\nasn = {SERVER_ASN}\nrouter_id = \"10.77.255.254\"\nmed = \"{med}\"\nlan = {}\n\
             [cores]\nsessions = {}\nshards = {}\n[startup]\nwait = {}\n\
             [defaults]\nidle_hold = 1\nidle_hold_max = 2\ngraceful_restart_s = {}\n\
             graceful_restart_helper_s = {}\nllgr_ipv4_s = {}\nllgr_ipv6_s = {}\n",
            texts(lan),
            self.cores,
            self.shards,
            self.startup_wait,
            self.graceful_restart_s,
            self.helper.time_s,
            self.helper.llgr_s[0],
            self.helper.llgr_s[1],
        );
        if self.has_rpki {
            text += "[rpki]\ncaches = [\"192.0.2.10:3323\"]\n";
        }
        self.write_communities(&mut text);
        self.write_lists(&mut text);
        self.write_blackhole(&mut text);
        for member in self.present() {
            member.write(self, &mut text);
        }
        text
    }

    fn write_communities(&self, text: &mut String) {
        let (said, usual) = (&self.communities, Communities::new(SERVER_ASN));
        let precedence = if said.large_first {
            "large_first"
        } else {
            "merged"
        };
        write!(
            text,
            "[communities]\nprecedence = \"{precedence}\"\ninterpret_well_known = {}\n",
            self.interpret_well_known
        )
        .unwrap();
        let others =
            (said.forms.iter()).filter(|(action, own)| usual.forms.get(*action) != Some(own));
        for (key, own) in others.chain(&said.tags) {
            writeln!(text, "{key} = {}", forms(own)).unwrap();
        }
        if said.reject_cause != usual.reject_cause {
            writeln!(text, "reject_cause = {}", forms(&said.reject_cause)).unwrap();
        }
        if said.arouteserver_numbers {
            *text += "reject_numbers = \"arouteserver\"\n";
        }
        if said.rtt_thresholds_ms != usual.rtt_thresholds_ms {
            writeln!(text, "rtt_thresholds_ms = {:?}", said.rtt_thresholds_ms).unwrap();
        }
        let aliases = said.peer_as_aliases.iter();
        let aliases: Vec<_> = aliases
            .map(|(short, asn)| format!("{short} = {asn}"))
            .collect();
        if !aliases.is_empty() {
            writeln!(text, "peer_as_aliases = {{ {} }}", aliases.join(", ")).unwrap();
        }
    }

    fn write_lists(&self, text: &mut String) {
        let (said, usual) = (&self.lists, Lists::default());
        *text += "[lists]\n";
        if said.bogon_prefixes != usual.bogon_prefixes {
            writeln!(text, "bogon_prefixes = {}", texts(&said.bogon_prefixes)).unwrap();
        }
        if said.bogon_asns != usual.bogon_asns {
            let ranges = said.bogon_asns.iter();
            let ranges = ranges.map(|(first, last)| format!("{first}-{last}"));
            writeln!(text, "bogon_asns = {}", texts(ranges)).unwrap();
        }
        if said.transit_free_asns != usual.transit_free_asns {
            writeln!(text, "transit_free_asns = {:?}", said.transit_free_asns).unwrap();
        }
        write!(
            text,
            "black_list = {}\nnever_via_route_servers_asns = {:?}\n",
            texts(&said.black_list),
            said.never_via_route_servers_asns
        )
        .unwrap();
    }

    fn write_blackhole(&self, text: &mut String) {
        let [ipv4, ipv6] = self.blackhole_modes;
        write!(
            text,
            "[blackhole]\nipv4 = \"{ipv4}\"\nipv6 = \"{ipv6}\"\nadd_no_export = {}\n\
             next_hop_ipv4 = \"{BLACKHOLE_V4}\"\nnext_hop_ipv6 = \"{BLACKHOLE_V6}\"\n",
            self.blackhole_add_no_export
        )
        .unwrap();
    }
}

impl Member {
    fn write(&self, plan: &Plan, text: &mut String) {
        let families = ["ipv4", "ipv6"].into_iter().zip(self.families);
        let families = families.filter(|(_, on)| *on).map(|(name, _)| name);
        write!(
            text,
            "[[client]]\nname = \"{}\"\nasn = {}\naddress = \"{}\"\nnext_hops = {}\nfamilies = {}\n\
             hold_time = {}\nadd_path = {}\nhide_own_as = {}\nextended_messages = {}\n\
             quarantine = {}\ndisabled = {}\nblackhole = {}\nrole = {}\nprepend_rs_as = {}\n\
             ipv6_next_hops = {}\nmin_advertisement_ms = {}\n\
             attributes = {{ discard = {:?}, treat_as_withdraw = {:?} }}\n",
            self.name,
            self.asn,
            self.address,
            texts(&self.addresses()[1..]),
            texts(families),
            self.hold_time_s,
            self.add_path,
            self.hide_own_as,
            self.extended,
            self.quarantined,
            self.disabled,
            self.takes_blackholes,
            self.role,
            self.prepend_rs_as,
            self.ipv6_next_hops,
            self.min_advertisement_ms,
            self.discard,
            self.treat_as_withdraw,
        )
        .unwrap();
        if let Some(obeys) = self.obeys_rfc1997 {
            let word = if obeys { "obey" } else { "pass" };
            writeln!(text, "rfc1997 = \"{word}\"").unwrap();
        }
        if let Some(us) = self.rtt_us {
            writeln!(text, "rtt_ms = {}.{:03}", us / 1_000, us % 1_000).unwrap();
        }
        write_matrix(&self.present_matrix(plan), text);
        self.import.write(text);
        self.irr.write(text);
        self.write_limits(text);
    }

    fn write_limits(&self, text: &mut String) {
        let mut limits = Vec::new();
        if let Some((max, rejects_all)) = self.limit {
            let action = if rejects_all { "reject" } else { "block" };
            let limit = format!("{{ accepted_max = {max}, accepted_action = \"{action}\" }}");
            limits.push(format!("ipv4 = {limit}, ipv6 = {limit}"));
        }
        limits.extend(
            self.updates_per_s
                .map(|most| format!("updates_per_s = {most}")),
        );
        writeln!(text, "limits = {{ {} }}", limits.join(", ")).unwrap();
    }
}

fn write_matrix(matrix: &Matrix, text: &mut String) {
    let names = |list: &[Who]| {
        let names = list.iter().map(|who| match who {
            Who::Asn(asn) => asn.to_string(),
            Who::Name(name) => format!("\"{name}\""),
        });
        format!("[{}]", names.collect::<Vec<_>>().join(", "))
    };
    let Matrix {
        announce_only_to,
        do_not_announce_to,
        receive_only_from,
        do_not_receive_from,
    } = matrix;
    let only = [
        ("announce_only_to", announce_only_to),
        ("receive_only_from", receive_only_from),
    ];
    for (key, list) in only {
        if let Some(list) = list {
            writeln!(text, "{key} = {}", names(list)).unwrap();
        }
    }
    let others = [
        ("do_not_announce_to", do_not_announce_to),
        ("do_not_receive_from", do_not_receive_from),
    ];
    for (key, list) in others {
        writeln!(text, "{key} = {}", names(list)).unwrap();
    }
}

impl Import {
    fn write(&self, text: &mut String) {
        let limit = |max: Option<usize>| max.map_or("\"none\"".to_owned(), |max| max.to_string());
        let lengths = |range: Option<(u8, u8)>| {
            range.map_or("\"any\"".to_owned(), |(min, max)| format!("[{min}, {max}]"))
        };
        let preset = if self.is_lab { "lab" } else { "exchange" };
        let mut keys = vec![format!("preset = \"{preset}\"")];
        let switches = self.switches.iter();
        keys.extend(switches.map(|(key, on)| format!("{key} = {on}")));
        keys.extend(self.next_hop.map(|mode| format!("next_hop = \"{mode}\"")));
        keys.extend(
            self.as_path_max
                .map(|max| format!("as_path_max = {}", limit(max))),
        );
        let max = self.communities_max;
        keys.extend(max.map(|max| format!("communities_max = {}", limit(max))));
        keys.extend(self.prefix_length.map(|[v4, v6]| {
            let (v4, v6) = (lengths(v4), lengths(v6));
            format!("prefix_length = {{ ipv4 = {v4}, ipv6 = {v6} }}")
        }));
        keys.push(format!(
            "black_list_prefixes = {}",
            texts(&self.black_list_prefixes)
        ));
        keys.push(format!("tag = {}", texts(&self.tag)));
        writeln!(text, "import = {{ {} }}", keys.join(", ")).unwrap();
    }
}

impl Registration {
    fn write(&self, text: &mut String) {
        let rules = &self.rules;
        let routes = rules.white_list_routes.iter();
        let routes = routes.map(|(range, origin)| match origin {
            Some(asn) => format!("{range} {asn}"),
            None => range.to_string(),
        });
        writeln!(
            text,
            "irr = {{ as_sets = {}, prefixes = {}, origins = {:?}, allow_longer_prefixes = {}, \
             rpki_roas_as_route_objects = {}, white_list_prefixes = {}, white_list_origins = {:?}, \
             white_list_routes = {} }}",
            texts(&self.as_sets),
            texts(&self.prefixes),
            self.origins,
            rules.allow_longer_prefixes,
            rules.rpki_roas_as_route_objects,
            texts(&rules.white_list_prefixes),
            rules.white_list_origins,
            texts(routes),
        )
        .unwrap();
    }
}

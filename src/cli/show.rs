//! `rialto show …` and `rialto explain`.

use serde_json::Value;

use crate::manage::view::{
    ClientView, CoresView, ExplainView, PathView, RestartsView, RouteView, RoutesView, SummaryView,
};

use super::args::{ExplainArgs, RoutesArgs, Show, ShowCommon, Target, Watched};
use super::clients::remarks;
use super::fetch::{FetchError, escape, get};
use super::paint::{Paint, Tone};
use super::table::{Screen, Shrink, Table, cut, duration, grouped, octets};
use super::{Outcome, count, print};
use crate::base::text::row;

pub fn show(what: &Show) -> Result<Outcome, FetchError> {
    match what {
        Show::Summary(args) => watched(args, "/api/v1/summary", summary),
        Show::Clients(args) => watched(&args.watched, "/api/v1/clients", |view, screen| {
            super::clients::text(view, args, screen)
        }),
        Show::Client {
            name,
            watched: args,
        } => watched(args, &format!("/api/v1/clients/{}", escape(name)), client),
        Show::Route { prefix, common } => route(prefix, common),
        Show::Routes(args) => routes(args),
        Show::Cores(args) => watched(args, "/api/v1/cores", cores),
        Show::Feeds(args) => watched(args, "/api/v1/feeds", super::feeds::text),
        Show::Hijacks(args) => watched(args, "/api/v1/hijacks", super::hijacks::text),
    }
}

/// Once, or again and again.
fn watched<T: serde::de::DeserializeOwned>(
    args: &Watched,
    path: &str,
    text: impl Fn(&T, Screen) -> String,
) -> Result<Outcome, FetchError> {
    match args.watch {
        Some(every_s) => super::watch::watch(&args.common.api.api, path, every_s, text),
        None => fetch(&args.common, path, |view| text(view, Screen::of_output())),
    }
}

/// The view as text, or its JSON as it came.
fn fetch<T: serde::de::DeserializeOwned>(
    common: &ShowCommon,
    path: &str,
    text: impl Fn(&T) -> String,
) -> Result<Outcome, FetchError> {
    let value: Value = get(&common.api.api, path)?;
    if common.output.json {
        print(&format!("{value:#}\n"));
        return Ok(Outcome::Well);
    }
    print(&text(&read(&common.api.api, value)?));
    Ok(Outcome::Well)
}

/// The view that an answer is.
pub fn read<T: serde::de::DeserializeOwned>(api: &str, value: Value) -> Result<T, FetchError> {
    serde_json::from_value(value).map_err(|error| FetchError::Foreign {
        api: api.to_owned(),
        why: error.to_string(),
    })
}

fn summary(view: &SummaryView, screen: Screen) -> String {
    let paint = |tone, text: &str| screen.paint.paint(tone, text);
    let ready = match view.ready {
        _ if view.draining => paint(
            Tone::Doubtful,
            "DRAINING: all that is sent has GRACEFUL_SHUTDOWN; rialto drain --undo ends it",
        ),
        true => format!(
            "advertising (start-up wait took {} ms)",
            view.startup_wait_ms
        ),
        false => paint(Tone::Doubtful, "not advertising yet: start-up wait"),
    };
    let mut text = format!(
        "Rialto {} AS{}, router id {}, up {}, generation {}\n\
         state     {ready}\n\
         clients   {} configured, {} established, {} disabled, {} quarantined\n\
         table     {} prefixes, {} paths, {} attribute sets\n\
         in        {} UPDATEs, {}\n\
         out       {} UPDATEs with {} NLRI, {}\n\
         refused   {} connections from unknown addresses\n",
        view.version,
        view.asn,
        view.router_id,
        duration(view.uptime_s),
        view.generation,
        grouped(view.clients),
        grouped(view.established),
        grouped(view.disabled),
        grouped(view.quarantined),
        grouped(view.prefixes),
        grouped(view.paths),
        grouped(view.attribute_sets),
        grouped(view.updates_in),
        octets(view.octets_in),
        grouped(view.updates_out),
        grouped(view.nlri_out),
        octets(view.octets_out),
        grouped(view.refused_connections),
    );
    if let Some(left_s) = view.unconfirmed_s {
        let told = format!(
            "UNCONFIRMED the last reload is rolled back in {}; to keep it: rialto reload --confirmed",
            duration(left_s)
        );
        text += &format!("{}\n", paint(Tone::Doubtful, &told));
    }
    for silent in &view.silent {
        let told = format!("NO ANSWER {silent}");
        text += &format!("{}\n", paint(Tone::Bad, &told));
    }
    text
}

fn client(view: &Value, _: Screen) -> String {
    let Some(client) = view
        .get("client")
        .and_then(|client| serde_json::from_value::<ClientView>(client.clone()).ok())
    else {
        return format!("{view:#}\n");
    };
    let list = |families: &[crate::base::Family]| match families {
        [] => "none".to_owned(),
        some => some
            .iter()
            .map(|family| family.name())
            .collect::<Vec<_>>()
            .join(" "),
    };
    let mut lines = vec![
        format!(
            "{}  AS{} at {}, session core {}",
            client.name, client.asn, client.address, client.core
        ),
        format!(
            "state        {} for {}, {}",
            client.state,
            duration(client.since_s),
            count(client.flaps as usize, "flap")
        ),
    ];
    let remarks = remarks(&client);
    lines.extend((!remarks.is_empty()).then(|| format!("remarks      {remarks}")));
    if client.is_established() {
        let router_id = client
            .router_id
            .map_or_else(|| "?".to_owned(), |id| id.to_string());
        lines.push(format!(
            "router id    {router_id}, hold time {} s",
            client.hold_time_s
        ));
        lines.push(format!(
            "families     {}; ADD-PATH {}",
            list(&client.families),
            list(&client.add_path)
        ));
        let (asns, messages) = (client.four_octet, client.extended_messages);
        lines.push(format!(
            "capable of   {} ASNs, messages of {} octets",
            if asns { "four-octet" } else { "two-octet" },
            if messages { "65535" } else { "4096" }
        ));
        lines.extend(
            client
                .restarts
                .map(|it| row("restarts", &restarts(it), 13).trim_end().to_owned()),
        );
        lines.push(format!(
            "End-of-RIB   received for {}",
            list(&client.end_of_rib)
        ));
    }
    lines.push(format!(
        "received     {} ipv4, {} ipv6; accepted {} ipv4, {} ipv6",
        client.received.ipv4, client.received.ipv6, client.accepted.ipv4, client.accepted.ipv6
    ));
    for stale in &client.stale {
        let what = match stale.long_lived {
            true => "long-lived stale (RFC 9494), dropped",
            false => "stale: its session is over (RFC 4724); that ends",
        };
        let unless = match client.is_established() {
            true => "unless announced again",
            false => "unless it is back",
        };
        lines.push(format!(
            "kept         {} {} {what} in {} {unless}",
            stale.prefixes,
            stale.family,
            duration(stale.for_s)
        ));
    }
    if client.quarantined {
        let held = client.would_be_accepted;
        lines.push(format!(
            "quarantine   {} ipv4, {} ipv6 would be accepted; they are relayed to none\n\
             to lift it   rialto client {} quarantine off",
            held.ipv4, held.ipv6, client.name
        ));
    }
    lines.push(format!(
        "in           {} UPDATEs, {}",
        client.updates_in,
        octets(client.octets_in)
    ));
    lines.push(format!(
        "out          {} UPDATEs, {}; queued {}",
        client.updates_out,
        octets(client.octets_out),
        octets(client.queue_octets)
    ));
    lines.push(format!(
        "malformed    {} UPDATEs treated as withdrawals, {} attributes discarded",
        client.treat_as_withdraw_count, client.attribute_discard_count
    ));
    lines.push(format!(
        "last error   {}",
        client.last_error.as_deref().unwrap_or("none")
    ));
    if let Some(configured) = view.get("configured") {
        for (key, name) in [("import", "import"), ("limits", "limits")] {
            let items = configured
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let items = items.filter_map(Value::as_str).collect::<Vec<_>>();
            let text = if items.is_empty() {
                "none".to_owned()
            } else {
                items.join(", ")
            };
            lines.push(row(name, &text, 13).trim_end().to_owned());
        }
    }
    lines.join("\n") + "\n"
}

fn restarts(of: RestartsView) -> String {
    let over_ours = match (of.keeps_routes, of.after_notifications) {
        (true, true) => {
            "it keeps our routes when we restart, after a NOTIFICATION, too (RFC 4724, RFC 8538)"
        }
        (true, false) => {
            "it keeps our routes when we restart without a NOTIFICATION (RFC 4724, not RFC 8538)"
        }
        (false, _) => "it drops our routes when we restart",
    };
    let its_own = match of.restart_time_s {
        Some(seconds) => format!("its Restart Time is {seconds} s"),
        None => "it announced no graceful restart".to_owned(),
    };
    let has_restarted = match of.has_restarted {
        true => ", and it said that it had restarted",
        false => "",
    };
    format!("{over_ours}; {its_own}{has_restarted}")
}

fn route(prefix: &Target, common: &ShowCommon) -> Result<Outcome, FetchError> {
    let path = format!("/api/v1/route?prefix={}", escape(&prefix.to_string()));
    let value: Value = get(&common.api.api, &path)?;
    let found = value.get("prefix").is_some_and(|found| !found.is_null());
    let text = |view: &RouteView| match &view.prefix {
        None => format!("nobody announces {prefix}\n"),
        Some(found) => {
            let paths = view
                .paths
                .iter()
                .map(|path| detail(path, &standing(path)))
                .collect::<String>();
            format!("{found}: {}\n{paths}", count(view.paths.len(), "path"))
        }
    };
    if common.output.json {
        print(&format!("{value:#}\n"));
    } else {
        print(&text(&read(&common.api.api, value)?));
    }
    Ok(if found { Outcome::Well } else { Outcome::Wrong })
}

fn standing(path: &PathView) -> String {
    match &path.reject {
        Some(_) if path.is_quarantined() => {
            "would be accepted; quarantined, and so relayed to none".to_owned()
        }
        Some(reject) => format!(
            "rejected: {} ({})",
            reject.text.trim_end_matches('.'),
            [std::slice::from_ref(&reject.name), &reject.communities[..]]
                .concat()
                .join(", ")
        ),
        None => format!(
            "accepted{}{}, {} it",
            match (path.stale, path.long_lived) {
                (_, true) => " (long-lived stale, the last choice)",
                (true, false) => " (stale: its session is over)",
                (false, false) => "",
            },
            match &path.remark {
                Some(remark) => format!(" all the same ({})", remark.name),
                None => String::new(),
            },
            match path.advertised_to {
                1 => "1 client has".to_owned(),
                clients => format!("{clients} clients have"),
            }
        ),
    }
}

/// Whether the path goes on from here.
fn tone_of(standing: &str) -> Tone {
    let starts = |words: &[&str]| words.iter().any(|word| standing.starts_with(word));
    match starts(&["accepted", "best", "sent"]) {
        true => Tone::Good,
        false if starts(&["rejected"]) => Tone::Bad,
        false => Tone::Doubtful,
    }
}

/// A path with all its attributes.
fn detail(path: &PathView, standing: &str) -> String {
    let attributes = &path.attributes;
    let mut text = format!(
        "\n  from {} (AS{}, {}): {}\n",
        path.from,
        path.from_asn,
        path.from_address,
        Paint::of_output().paint(tone_of(standing), standing)
    );
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            text += &row(&format!("    {name}"), &value, 17);
        }
    };
    line("AS_PATH", attributes.as_path.clone());
    let next_hop = match attributes.link_local_next_hop {
        Some(link_local) => format!("{} and {link_local}", attributes.next_hop),
        None => attributes.next_hop.to_string(),
    };
    line("next hop", next_hop);
    let unless_unchecked = |state: &str| match state {
        "not_checked" => String::new(),
        state => state.replace('_', " "),
    };
    line("RPKI", unless_unchecked(&path.rpki));
    line("IRR prefix", unless_unchecked(&path.irr_prefix));
    line("IRR origin", unless_unchecked(&path.irr_origin));
    line(
        "blackhole",
        if path.blackhole { "yes (RFC 7999)" } else { "" }.to_owned(),
    );
    line("origin", attributes.origin.clone());
    line(
        "MED",
        attributes
            .med
            .map(|med| med.to_string())
            .unwrap_or_default(),
    );
    line("communities", attributes.communities.join(" "));
    line("large", attributes.large_communities.join(" "));
    line("extended", attributes.extended_communities.join(" "));
    for other in &attributes.others {
        line(
            &format!("attribute {}", other.code),
            format!("flags {:#04x}, {}", other.flags, other.value),
        );
    }
    text
}

/// All pages, each printed as it comes; as JSON, one document with all routes.
fn routes(args: &RoutesArgs) -> Result<Outcome, FetchError> {
    let (client, which) = (escape(&args.client), args.which.name());
    let screen = Screen::of_output();
    let mut cursor = String::new();
    let mut all = Vec::new();
    let (mut told, mut held) = (0, 0);
    let name = loop {
        let path = format!("/api/v1/routes?client={client}&which={which}&limit=5000{cursor}");
        let page: RoutesView = get(&args.common.api.api, &path)?;
        told += page.routes.len();
        held += page
            .routes
            .iter()
            .filter(|path| path.is_quarantined())
            .count();
        if args.common.output.json {
            all.extend(page.routes);
        } else {
            print(
                &page
                    .routes
                    .iter()
                    .map(|path| line(path, which, screen))
                    .collect::<String>(),
            );
        }
        match page.next {
            Some(next) => cursor = format!("&cursor={}", escape(&next)),
            None => break page.client,
        }
    };
    if args.common.output.json {
        let view = RoutesView {
            client: name,
            which: which.to_owned(),
            routes: all,
            next: None,
        };
        print(&format!(
            "{:#}\n",
            serde_json::to_value(view).unwrap_or_default()
        ));
    } else {
        print(&match (which, held) {
            ("accepted", 1..) => format!(
                "{} would be accepted and relayed to none: {name} is quarantined\n",
                count(told, "route")
            ),
            _ => format!("{} {which}, {name}\n", count(told, "route")),
        });
    }
    Ok(Outcome::Well)
}

/// In a terminal on one line: what is too long is cut out of the AS_PATH.
fn line(path: &PathView, which: &str, screen: Screen) -> String {
    let from = match which == "advertised" {
        true => format!("  from {}", path.from),
        false => String::new(),
    };
    let rejected = match &path.reject {
        Some(_) if path.is_quarantined() => "QUARANTINED".to_owned(),
        Some(reject) => format!("REJECTED {}", reject.name),
        None => String::new(),
    };
    let path_id = path.path_id;
    let path_id = path_id.map(|id| format!("  path {id}")).unwrap_or_default();
    let attributes = &path.attributes;
    let head = format!("{:<20}  via {:<15}  ", path.prefix, attributes.next_hop);
    let taken = [&head, &from, &path_id, &rejected];
    let taken: usize = taken.iter().map(|part| part.chars().count()).sum();
    let gap = if rejected.is_empty() { "" } else { "  " };
    let as_path = match screen.width {
        Some(width) => cut(&attributes.as_path, width.saturating_sub(taken + gap.len())),
        None => attributes.as_path.clone(),
    };
    let rejected = screen.paint.paint(Tone::Bad, &rejected);
    format!("{head}{as_path}{from}{path_id}{gap}{rejected}\n")
}

fn cores(view: &CoresView, screen: Screen) -> String {
    let mut threads = Table::new(&["THREAD", ">CPU", ">CPU TIME", ">QUEUED"]);
    let sessions = view.sessions.iter().map(|core| &core.thread);
    for thread in sessions.chain(view.shards.iter().map(|shard| &shard.thread)) {
        threads.row(vec![
            thread.name.clone(),
            thread
                .cpu
                .map_or_else(|| "any".to_owned(), |cpu| cpu.to_string()),
            format!("{:.2} s", thread.cpu_time_s),
            thread.queued.to_string(),
        ]);
    }
    let mut sessions = Table::new(&[
        "CORE", ">CLIENTS", ">UP", ">UPD IN", ">IN", ">UPD OUT", ">OUT", ">ENCODED", ">HELD",
    ])
    .shrinking(&[Shrink::Drop("ENCODED"), Shrink::Drop("CLIENTS")]);
    for core in &view.sessions {
        sessions.row(vec![
            core.thread.name.clone(),
            grouped(core.clients),
            grouped(core.established),
            grouped(core.updates_in),
            octets(core.octets_in),
            grouped(core.updates_out),
            octets(core.octets_out),
            grouped(core.updates_encoded),
            octets(core.octets_retained),
        ]);
    }
    let prefixes = view.shards.iter().map(|shard| shard.prefixes);
    let prefixes = prefixes.sum::<u64>().max(1);
    let mut shards = Table::new(&[
        "SHARD",
        ">PREFIXES",
        ">SHARE",
        ">PATHS",
        ">SETS",
        ">ROUTES IN",
        ">DELTAS OUT",
        ">PENDING",
    ])
    .shrinking(&[Shrink::Drop("DELTAS OUT"), Shrink::Drop("SETS")]);
    for shard in &view.shards {
        shards.row(vec![
            shard.thread.name.clone(),
            grouped(shard.prefixes),
            format!("{:.1} %", 100.0 * shard.prefixes as f64 / prefixes as f64),
            grouped(shard.paths),
            grouped(shard.attribute_sets),
            grouped(shard.routes_in),
            grouped(shard.deltas_out),
            grouped(shard.pending),
        ]);
    }
    let mut policy = Table::new(&[
        "POLICY",
        ">CLASSES",
        ">ELIGIBILITIES",
        ">AUDIENCES",
        ">VARIANTS",
    ]);
    for shard in &view.shards {
        policy.row(vec![
            shard.thread.name.clone(),
            grouped(shard.classes),
            grouped(shard.eligibilities),
            grouped(shard.audiences),
            grouped(shard.variants),
        ]);
    }
    [threads, sessions, shards, policy]
        .map(|table| table.text(screen))
        .join("\n")
}

pub fn explain(args: &ExplainArgs) -> Result<Outcome, FetchError> {
    let path = format!(
        "/api/v1/explain?prefix={}&to={}",
        escape(&args.prefix.to_string()),
        escape(&args.to)
    );
    fetch(&args.common, &path, |view: &ExplainView| {
        let head = view
            .prefix
            .clone()
            .unwrap_or_else(|| args.prefix.to_string());
        let paths = view
            .paths
            .iter()
            .map(|fate| detail(&fate.path, &with_prepends(&fate.text, fate.path.prepend)));
        format!(
            "{head} to {}: {}\n{}",
            view.to,
            view.answer,
            paths.collect::<String>()
        )
    })
}

fn with_prepends(text: &str, prepend: u8) -> String {
    match prepend {
        0 => text.to_owned(),
        1 => format!("{text}; prepended once for this client"),
        more => format!("{text}; prepended {more} times for this client"),
    }
}

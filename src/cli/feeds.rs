//! `rialto show feeds`: data from outside, for people.

use crate::manage::view::FeedsView;

use super::table::{Screen, Shrink, Table, duration, grouped, octets};

pub fn text(view: &FeedsView, screen: Screen) -> String {
    let mut text = format!(
        "RPKI  {} VRPs, {} ASPAs\n\
         IRR   {} clients checked by {} sets: {} prefixes, {} origins, {}\n",
        view.vrps,
        view.aspas,
        view.irr_clients,
        view.irr_sets,
        view.irr_prefixes,
        view.irr_origins,
        octets(view.irr_octets),
    );
    if !view.rtr_caches.is_empty() {
        let mut table = Table::new(&[
            "RTR CACHE",
            "STATE",
            "IN USE",
            ">VERSION",
            ">SERIAL",
            ">VRPS",
            ">ASPAS",
            ">AGE",
            "LAST ERROR",
        ])
        .shrinking(&[
            Shrink::Cut("LAST ERROR", 20),
            Shrink::Drop("VERSION"),
            Shrink::Drop("SERIAL"),
            Shrink::Drop("ASPAS"),
        ]);
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |it| it.to_string());
        for cache in &view.rtr_caches {
            table.row(vec![
                cache.address.to_string(),
                cache.state.clone(),
                if cache.in_use { "yes" } else { "" }.to_owned(),
                number(cache.version.map(u64::from)),
                number(cache.serial.map(u64::from)),
                grouped(cache.vrps),
                grouped(cache.aspas),
                cache.age_s.map_or("-".to_owned(), duration),
                cache.last_error.clone().unwrap_or_default(),
            ]);
        }
        text += &format!("\n{}", table.text(screen));
    }
    text += &vrp_files(view, screen);
    for what in &view.warnings {
        text += &format!("\nWARNING {what}\n");
    }
    for what in view.lacking.iter().chain(&view.irr_problems) {
        text += &format!("\nMISSING {what}\n");
    }
    text
}

fn vrp_files(view: &FeedsView, screen: Screen) -> String {
    if view.vrp_files.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["VRP FILE", ">VRPS", ">ASPAS", ">EXPIRED", ">AGE", "STALE"]);
    for file in &view.vrp_files {
        table.row(vec![
            file.file.clone(),
            grouped(file.vrps),
            grouped(file.aspas),
            grouped(file.expired),
            file.age_s.map_or("-".to_owned(), duration),
            if file.stale { "yes" } else { "" }.to_owned(),
        ]);
    }
    format!("\n{}", table.text(screen))
}

//! `rialto show hijacks`: next hops of others, for people.

use crate::manage::hijacks::HijacksView;

use super::count;
use super::paint::Tone;
use super::table::{Screen, Shrink, Table, duration, grouped};

pub fn text(view: &HijacksView, screen: Screen) -> String {
    if view.hijacks.is_empty() {
        return "no client has announced a next hop of another one\n".to_owned();
    }
    let mut table = Table::new(&[
        "CLIENT",
        "ASN",
        "NEXT HOP",
        "OF",
        "OF ASN",
        ">LAST",
        ">FIRST",
        ">PREFIXES",
        "LAST PREFIX",
        "VERDICT",
        "AS_PATH",
    ])
    .shrinking(&[
        Shrink::Cut("AS_PATH", 12),
        Shrink::Drop("AS_PATH"),
        Shrink::Drop("ASN"),
        Shrink::Drop("FIRST"),
        Shrink::Drop("OF ASN"),
        Shrink::Cut("CLIENT", 12),
        Shrink::Drop("PREFIXES"),
    ]);
    const VERDICT: usize = 9;
    for hijack in &view.hijacks {
        let (verdict, tone) = match hijack.rejected {
            true => ("rejected", Tone::Good),
            false => ("ACCEPTED", Tone::Bad),
        };
        let row = table.row(vec![
            hijack.client.clone(),
            format!("AS{}", hijack.asn),
            hijack.next_hop.to_string(),
            hijack.of.clone(),
            format!("AS{}", hijack.of_asn),
            duration(hijack.last_s),
            duration(hijack.first_s),
            grouped(hijack.prefixes),
            hijack.prefix.clone(),
            verdict.to_owned(),
            hijack.attributes.as_path.clone(),
        ]);
        row.tone(VERDICT, tone);
    }
    let what = count(view.hijacks.len(), "pair");
    format!(
        "{}{what} of a client and a next hop that is another client's\n",
        table.text(screen)
    )
}

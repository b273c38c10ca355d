//! From configurations to generations: slots keep their clients, hand-made changes are stronger than
//! the files.

use std::net::IpAddr;
use std::sync::Arc;

use rialto::base::{ClientSlot, CoreId};
use rialto::config::{Inputs, Override, Overrides, compile};
use rialto::server::exchange::Exchange;
use rialto::server::reach::Reach;

use super::good;

fn clients(numbers: &[u8]) -> String {
    let client =
        |number: &u8| format!("[[client]]\nasn = {number}\naddress = \"192.0.2.{number}\"\n");
    numbers.iter().map(client).collect()
}

fn next(numbers: &[u8], previous: Option<&Exchange>) -> Exchange {
    compile(
        &good(&clients(numbers)),
        &Overrides::default(),
        &Inputs::default(),
        previous,
    )
}

fn slot(exchange: &Exchange, number: u8) -> Option<u16> {
    let client = exchange.client_at(IpAddr::from([192, 0, 2, number]))?;
    assert_eq!(exchange.client(client.slot), Some(client));
    Some(client.slot.0)
}

#[test]
fn an_address_keeps_its_slot_whatever_the_order_of_the_files() {
    let first = next(&[1, 2, 3], None);
    assert_eq!(
        [1, 2, 3].map(|number| slot(&first, number)),
        [Some(0), Some(1), Some(2)]
    );
    let second = next(&[3, 4, 1, 2], Some(&first));
    assert_eq!(
        [1, 2, 3, 4].map(|number| slot(&second, number)),
        [Some(0), Some(1), Some(2), Some(3)]
    );
    assert_eq!((first.generation.0, second.generation.0), (1, 2));
}

/// A reload looks for what is another value: a long list is not to be compared for each client, on each shard.
#[test]
fn what_is_as_before_stays_the_same_value() {
    let generation = |black_list: &str, own: &str, previous: Option<&Exchange>| {
        let lists = format!("[lists]\nblack_list = [{black_list}]\n");
        let own = format!("import.black_list_prefixes = [{own}]\n");
        let config = good(&format!("{lists}{}{own}", clients(&[1, 2, 3])));
        compile(&config, &Overrides::default(), &Inputs::default(), previous)
    };
    let (list, other) = ("\"198.51.100.0/24\"", "\"203.0.113.0/24\"");
    let first = generation(list, "", None);
    let cases = [
        ("nothing changes", list, "", 0),
        ("a list of all clients", other, "", 3),
        ("a list of the last client", list, other, 1),
    ];
    for (case, black_list, own, changed) in cases {
        let next = generation(black_list, own, Some(&first));
        let pairs = first.clients().zip(next.clients());
        let others = pairs.filter(|(a, b)| !Arc::ptr_eq(&a.import, &b.import));
        assert_eq!(others.count(), changed, "{case}");
        let reach = Reach::of(&first, &next);
        assert_eq!(reach.judge_again.count(), changed, "{case}");
    }
}

#[test]
fn a_slot_changes_hands_only_after_a_generation_in_which_it_is_free() {
    let first = next(&[1, 2, 3], None);
    let second = next(&[1, 3, 4], Some(&first));
    assert_eq!(
        slot(&second, 4),
        Some(3),
        "the slot of the client that leaves is not taken at once"
    );
    assert!(second.clients[1].is_none());
    let third = next(&[1, 3, 4, 5], Some(&second));
    assert_eq!(slot(&third, 5), Some(1));
    let gone = next(&[], Some(&third));
    assert_eq!((gone.clients.len(), gone.clients().count()), (4, 0));
}

#[test]
fn clients_are_dealt_over_the_session_cores() {
    let config = good(&format!(
        "[cores]\nsessions = 3\nshards = 2\n{}",
        clients(&[1, 2, 3, 4])
    ));
    let exchange = compile(&config, &Overrides::default(), &Inputs::default(), None);
    let cores = exchange
        .clients()
        .map(|client| client.core)
        .collect::<Vec<_>>();
    assert_eq!(cores, [0, 1, 2, 0].map(CoreId));
    assert_eq!((exchange.core_count, exchange.shard_count), (3, 2));
}

#[test]
fn what_was_changed_by_hand_is_stronger_than_the_file() {
    let config = good(
        "[[client]]\nasn = 1\naddress = \"192.0.2.1\"\ndisabled = true\nshutdown_message = \"moved\"\n\
         [[client]]\nasn = 2\naddress = \"192.0.2.2\"\nquarantine = true\n",
    );
    let plain = compile(&config, &Overrides::default(), &Inputs::default(), None);
    let [one, two] = [0, 1].map(|slot| plain.client(ClientSlot(slot)).unwrap().clone());
    assert_eq!(
        (one.disabled.as_deref(), one.quarantined),
        (Some("moved"), false)
    );
    assert_eq!((two.disabled.as_deref(), two.quarantined), (None, true));

    let mut overrides = Overrides::default();
    *overrides.entry(one.address) = Override {
        disabled: Some(None),
        quarantine: Some(true),
    };
    *overrides.entry(two.address) = Override {
        disabled: Some(Some("bye".to_owned())),
        quarantine: None,
    };
    let changed = compile(&config, &overrides, &Inputs::default(), Some(&plain));
    let [one_now, two_now] = [0, 1].map(|slot| changed.client(ClientSlot(slot)).unwrap().clone());
    assert_eq!(
        (one_now.disabled.as_deref(), one_now.quarantined),
        (None, true)
    );
    assert_eq!(
        (two_now.disabled.as_deref(), two_now.quarantined),
        (Some("bye"), true)
    );
    assert_ne!(
        one_now.import, one.import,
        "quarantine is part of the client's policy"
    );
    assert_eq!(two_now.import, two.import);
}

#[test]
fn the_same_configuration_compiles_to_equal_clients() {
    let first = next(&[1, 2], None);
    let second = next(&[1, 2], Some(&first));
    assert!(
        first.clients().eq(second.clients()),
        "a reload without a change touches nobody"
    );
}

#[test]
fn bounds_of_a_reload_are_numbers_or_parts_and_there_is_none_unasked() {
    use rialto::config::{Bound, ReloadLimits};
    assert_eq!(super::good("").reload, ReloadLimits::default());
    let config =
        super::good("[reload]\nmax_rejected = 1000\nmax_lost = \"2.5%\"\nmax_restarts = 0\n");
    let expected = ReloadLimits {
        max_rejected: Some(Bound::Count(1_000)),
        max_lost: Some(Bound::Share(250)),
        max_restarts: Some(Bound::Count(0)),
    };
    assert_eq!(config.reload, expected);
}

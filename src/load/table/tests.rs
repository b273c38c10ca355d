//! A table that is wrong in one prefix is found wrong, in every shape, and the quick judgement says
//! what the slow one says.

use super::*;
use crate::base::FamilySet;
use crate::load::attributes::Attributes;
use crate::load::plan::Client;
use crate::load::random::Random;
use crate::load::synthetic::{self, Layout, Shape};

const CLIENTS: usize = 12;

fn shape(layout: Layout, tagging_clients: f64, control_share: f64) -> Shape {
    Shape {
        prefixes: 240,
        layout,
        prefixes_per_attributes: Some(4.0),
        control_share,
        tagging_clients,
        prepends: true,
        unknown_share: 0.0,
        families: match layout {
            Layout::Even => FamilySet::only(crate::base::Family::Ipv4),
            _ => FamilySet::ALL,
        },
        ipv6_share: 0.25,
        seed: 11,
    }
}

fn shapes() -> Vec<(&'static str, Shape)> {
    let overlapping = Layout::Overlapping {
        paths_per_prefix: 2.5,
    };
    vec![
        ("even", shape(Layout::Even, 0.0, 0.0)),
        ("overlapping", shape(overlapping, 0.0, 0.0)),
        ("tagged by client", shape(overlapping, 0.5, 0.0)),
        ("tagged by set", shape(overlapping, 0.0, 0.5)),
        ("full", shape(Layout::Full, 0.0, 0.0)),
        ("full and tagged", shape(Layout::Full, 0.5, 0.1)),
    ]
}

/// The last three clients have ADD-PATH.
fn plan(shape: &Shape) -> Plan {
    let net = "10.77.0.0/16".parse().unwrap();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|index| Client::new(index, net, "fd77::".parse().unwrap()))
        .collect();
    clients[CLIENTS - 3..]
        .iter_mut()
        .for_each(|client| client.add_path = true);
    synthetic::plan(shape, 64500, clients)
}

struct World {
    plan: Plan,
    model: Model,
    tables: Tables,
}

impl World {
    /// All clients are up and have announced; nobody has anything.
    fn new(shape: &Shape, check: Check) -> World {
        let plan = plan(shape);
        let mut model = Model::new(&plan, check);
        for (client, announcer) in plan.clients.iter().enumerate() {
            for route in &announcer.routes {
                model.announce(client as u16, route.prefix, route.set);
            }
        }
        let mut tables = Tables::new(&plan);
        let all: Vec<u32> = (0..plan.prefixes.len() as u32).collect();
        tables.judge(&model, &all, |_, _| {});
        (0..CLIENTS).for_each(|client| tables.bring_up(&model, client));
        World {
            plan,
            model,
            tables,
        }
    }

    fn all_prefixes(&self) -> std::ops::Range<u32> {
        0..self.plan.prefixes.len() as u32
    }

    fn receive(&mut self, client: usize, prefix: u32, path_id: u32, form: FormId) -> Effect {
        let change = Change {
            prefix,
            path_id,
            form,
        };
        self.tables.receive(&self.model, client, &[change], |_| {})
    }

    /// Everybody gets what it is owed, with path identifiers from 1.
    fn deliver(&mut self) {
        for client in 0..CLIENTS {
            for prefix in self.all_prefixes() {
                let owed = self.model.owed(client as u16, prefix);
                let owed = match self.plan.clients[client].add_path {
                    true => &owed[..],
                    false => &owed[..owed.len().min(1)],
                };
                for (form, path_id) in owed.iter().zip(1..) {
                    self.receive(client, prefix, path_id, *form);
                }
            }
        }
    }

    /// The counts are those of the model, asked about everything.
    fn check(&self, when: &str) {
        let mut total = 0;
        for client in 0..CLIENTS {
            let table = &self.tables.clients[client];
            let wrong = self.all_prefixes().filter(|&prefix| {
                let held = self.tables.held(client, prefix);
                let wrong = table.is_up && !self.model.is_right(client as u16, prefix, &held);
                assert_eq!(table.wrong.has(prefix), wrong, "{when}: {client} {prefix}");
                wrong
            });
            let count = wrong.count();
            assert_eq!(self.tables.wrong_count(client), count, "{when}: {client}");
            total += count;
        }
        assert_eq!(self.tables.wrong_total(), total, "{when}");
    }
}

#[test]
fn what_is_owed_makes_every_table_right() {
    for (name, shape) in shapes() {
        for check in [Check::Exact, Check::Eligible, Check::HidingAllowed] {
            let mut world = World::new(&shape, check);
            world.check(name);
            assert!(world.tables.wrong_total() > 0, "{name}");
            world.deliver();
            world.check(name);
            assert_eq!(world.tables.wrong_total(), 0, "{name} {check:?}");
        }
    }
}

#[test]
fn a_missing_a_stale_and_an_extra_path_are_each_found() {
    for (name, shape) in shapes() {
        let mut world = World::new(&shape, Check::Exact);
        world.deliver();
        let stale = Attributes::new(&[10000, 77], "10.77.1.1".parse().unwrap());
        let stale = world.model.forms.intern(&stale);
        for client in 0..CLIENTS {
            for prefix in world.all_prefixes() {
                let owed = world.tables.held(client, prefix);
                let has_add_path = world.plan.clients[client].add_path;
                let is_found = |world: &World, what: &str| {
                    let found = (world.tables.wrong_count(client), world.tables.wrong_total());
                    assert_eq!(found, (1, 1), "{what}, {name}: {client} {prefix}");
                    assert_eq!(world.tables.wrong_prefixes(client, 9), [prefix]);
                };
                // Which path has which identifier is as `deliver` gave them.
                for (form, path_id) in owed.iter().zip(1..) {
                    world.receive(client, prefix, path_id, NOTHING);
                    is_found(&world, "missing");
                    world.receive(client, prefix, path_id, stale);
                    is_found(&world, "stale");
                    world.receive(client, prefix, path_id, *form);
                    assert_eq!(world.tables.wrong_total(), 0);
                }
                if has_add_path || owed.is_empty() {
                    world.receive(client, prefix, 99, stale);
                    is_found(&world, "extra");
                    if let Some(form) = owed.first() {
                        world.receive(client, prefix, 99, *form);
                        is_found(&world, "one twice");
                    }
                    world.receive(client, prefix, 99, NOTHING);
                    assert_eq!(world.tables.wrong_total(), 0);
                }
                for (form, path_id) in owed.iter().zip(1..) {
                    let again = world.receive(client, prefix, path_id, *form);
                    assert_eq!((again.changed, again.unchanged_count), (false, 1));
                }
            }
        }
        world.check(name);
    }
}

#[test]
fn a_clients_own_path_is_found_wrong_with_it() {
    for (name, shape) in shapes() {
        let mut world = World::new(&shape, Check::Exact);
        world.deliver();
        for client in 0..CLIENTS {
            let routes = world.plan.clients[client].routes.clone();
            for route in routes.iter().step_by(5) {
                let mut own = world.plan.sets.attributes(route.set);
                crate::load::rules::strip(&mut own, 64500);
                let form = world.model.forms.intern(&own);
                world.receive(client, route.prefix, 50, form);
            }
            let wrong = routes.iter().step_by(5).count();
            assert_eq!(world.tables.wrong_count(client), wrong, "{name}: {client}");
        }
        world.check(name);
    }
}

#[test]
fn a_foreign_prefix_is_found_until_it_is_withdrawn() {
    let mut world = World::new(&shapes()[0].1, Check::Exact);
    world.deliver();
    let prefix = "192.0.2.0/24".parse().unwrap();
    for client in [0, CLIENTS - 1] {
        world.tables.receive_foreign(client, prefix, 1);
        assert_eq!(world.tables.wrong_total(), 1);
        assert_eq!(world.tables.foreign().next(), Some((client, prefix, 1)));
        world.tables.receive_foreign(client, prefix, NOTHING);
        assert_eq!(world.tables.wrong_total(), 0);
    }
    world.tables.receive_foreign(3, prefix, 1);
    world.tables.take_down(3);
    assert_eq!(world.tables.foreign().count(), 0);
}

/// Sessions come and go, routes change, and octets arrive that are right or anything at all.
#[test]
fn the_quick_judgement_is_the_slow_one_whatever_happens() {
    for (name, shape) in shapes() {
        for check in [Check::Exact, Check::Eligible, Check::HidingAllowed] {
            let mut world = World::new(&shape, check);
            let mut random = Random::new(5);
            let mut turned = 0;
            for round in 0..300 {
                let client = random.below(CLIENTS as u64) as usize;
                let routes = world.plan.clients[client].routes.clone();
                match random.below(10) {
                    0 => world.tables.take_down(client),
                    1 => world.tables.bring_up(&world.model, client),
                    2..5 if !routes.is_empty() => {
                        let route = *random.pick(&routes);
                        if random.chance(0.4) {
                            world.model.withdraw(client as u16, route.prefix);
                        } else {
                            let mut other = world.plan.sets.attributes(route.set);
                            other.large.push([4_200_000, 1, round]);
                            if random.chance(0.3) {
                                other
                                    .large
                                    .push([64500, 102, 10000 + random.below(9) as u32]);
                            }
                            other.normalise();
                            let mut key = Vec::new();
                            other.key(&mut key);
                            let set = world.model.add_set(client as u16, &key);
                            world.model.announce(client as u16, route.prefix, set);
                        }
                        let prefixes = [route.prefix];
                        let count = |_, _| turned += 1;
                        world.tables.judge(&world.model, &prefixes, count);
                    }
                    _ => {
                        for _ in 0..40 {
                            let prefix = random.below(world.plan.prefixes.len() as u64) as u32;
                            let other = random.below(CLIENTS as u64) as u16;
                            let some = world.model.owed(other, prefix);
                            let form = match some.is_empty() || random.chance(0.2) {
                                true => NOTHING,
                                false => *random.pick(&some),
                            };
                            world.receive(client, prefix, random.below(4) as u32, form);
                        }
                    }
                }
                if round % 20 == 0 {
                    world.check(name);
                }
            }
            world.check(name);
            assert!(turned > 0, "{name} {check:?}");
        }
    }
}

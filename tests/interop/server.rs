//! The route server of a test: Rialto, or BIRD in its place to prove the harness itself.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use rialto::manage::view::{ClientView, ClientsView, PathView, RoutesView};

use super::lan::{Lan, Place, run_in};
use super::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use super::program::{Program, wait_for};

pub struct Server {
    pub program: Program,
    pub place: Place,
    members: Vec<Member>,
}

/// What a test configures beside what all have: lines of TOML.
#[derive(Clone, Default)]
pub struct Settings {
    /// Whole sections.
    pub sections: String,
    /// Of `[[client]]`, by the client's name.
    pub clients: BTreeMap<String, String>,
}

impl Settings {
    pub fn new(sections: &str) -> Settings {
        Settings {
            sections: sections.to_owned(),
            clients: BTreeMap::new(),
        }
    }

    /// Lines for all sessions of a member.
    pub fn with(self, member: &Member, lines: &str) -> Settings {
        let sessions = member.sessions.iter();
        sessions.fold(self, |settings, family| {
            settings.with_session(&member.session(*family), lines)
        })
    }

    pub fn with_session(mut self, name: &str, lines: &str) -> Settings {
        let own = self.clients.entry(name.to_owned()).or_default();
        writeln!(own, "{lines}").unwrap();
        self
    }
}

/// `RIALTO_INTEROP_SERVER=bird` puts BIRD in Rialto's place.
pub fn is_rialto() -> bool {
    std::env::var("RIALTO_INTEROP_SERVER").map_or(true, |name| name != "bird")
}

impl Server {
    pub fn start(lan: &mut Lan, members: &[&Member]) -> Server {
        Server::start_with(lan, members, &Settings::default())
    }

    pub fn start_with(lan: &mut Lan, members: &[&Member], settings: &Settings) -> Server {
        let place = lan.join("server", SERVER_V4, SERVER_V6);
        let program = if is_rialto() {
            start_rialto(&place, members, settings)
        } else {
            start_bird(&place, members)
        };
        let mut server = Server {
            program,
            place,
            members: members.iter().copied().cloned().collect(),
        };
        server.wait_until_it_listens();
        server
    }

    fn wait_until_it_listens(&mut self) {
        let namespace = self.place.namespace.clone();
        wait_for(
            "the route server to listen",
            Duration::from_secs(20),
            || {
                if self.program.has_ended() {
                    return Err("it has ended".to_owned());
                }
                let sockets = run_in(&namespace, &["ss", "-Hltn", "sport", "=", ":179"])?;
                if sockets.lines().count() >= 2 {
                    Ok(())
                } else {
                    Err(format!("sockets: {sockets}"))
                }
            },
        );
    }

    /// Rialto again, after it ended.
    pub fn start_again(&mut self, settings: &Settings) {
        let members: Vec<&Member> = self.members.iter().collect();
        self.program = start_rialto(&self.place, &members, settings);
        self.wait_until_it_listens();
    }

    /// Resets all sessions, and waits until they are up again.
    pub fn reset_all(&self) {
        let names = self.clients(|_| true).expect("rialto shows its clients");
        for name in &names {
            self.rialto(&["client", name, "reset"])
                .expect("rialto resets a session");
        }
        wait_for("all sessions to be back", Duration::from_secs(100), || {
            let back = |client: &ClientView| client.is_established() && client.flaps > 0;
            let back = self.clients(back)?;
            match back.len() == names.len() {
                true => Ok(()),
                false => Err(format!("back are {back:?}")),
            }
        });
    }

    /// Names of those clients.
    fn clients(&self, wanted: impl Fn(&ClientView) -> bool) -> Result<Vec<String>, String> {
        let shown = self.all_clients()?.into_values();
        Ok(shown
            .filter(|client| wanted(client))
            .map(|client| client.name)
            .collect())
    }

    /// What it shows of each client, by name.
    pub fn all_clients(&self) -> Result<BTreeMap<String, ClientView>, String> {
        let text = self.rialto(&["show", "clients", "--json"])?;
        let shown: ClientsView = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let clients = shown.clients.into_iter();
        Ok(clients
            .map(|client| (client.name.clone(), client))
            .collect())
    }

    pub fn client(&self, name: &str) -> ClientView {
        let mut clients = self.all_clients().expect("rialto shows its clients");
        clients.remove(name).expect("rialto knows the client")
    }

    /// Routes of a client: `which` is "received", "accepted" and so on.
    pub fn routes(&self, client: &str, which: &str) -> Result<Vec<PathView>, String> {
        let which = format!("--{which}");
        let text = self.rialto(&["show", "routes", "--client", client, &which, "--json"])?;
        let shown: RoutesView = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(shown.routes)
    }

    /// Waits until these of a client's prefixes are rejected, each for its reason, and no others.
    pub fn expect_rejected(&self, client: &str, due: &[(&str, &str)]) {
        let due: BTreeMap<IpNet, String> = due
            .iter()
            .map(|(prefix, reason)| {
                let prefix = prefix.parse().expect("a prefix");
                (prefix, (*reason).to_owned())
            })
            .collect();
        let what = format!("what is rejected of {client}");
        wait_for(&what, Duration::from_secs(30), || {
            let reason_of = |path: PathView| {
                let prefix = path.prefix.parse().expect("a prefix");
                let reason = path.reject.map(|reject| reject.name);
                (prefix, reason.unwrap_or_default())
            };
            let rejected = self.routes(client, "rejected")?.into_iter();
            let rejected: BTreeMap<IpNet, String> = rejected.map(reason_of).collect();
            match rejected == due {
                true => Ok(()),
                false => Err(format!("due {due:?}\n  seen {rejected:?}")),
            }
        });
    }

    /// Puts other settings into force; what the reload said.
    pub fn reload(&self, settings: &Settings) -> String {
        let members: Vec<&Member> = self.members.iter().collect();
        write_config(&self.place, &members, settings);
        self.rialto(&["reload"]).expect("rialto reloads")
    }

    /// Words of the `rialto` command, asked in the server's namespace.
    pub fn rialto(&self, words: &[&str]) -> Result<String, String> {
        run_in(
            &self.place.namespace,
            &[&[env!("CARGO_BIN_EXE_rialto")], words].concat(),
        )
    }
}

fn start_rialto(place: &Place, members: &[&Member], settings: &Settings) -> Program {
    let config = write_config(place, members, settings);
    let rialto = env!("CARGO_BIN_EXE_rialto");
    Program::start(
        place,
        "rialto",
        &[rialto, "run", "--config", &config],
        &[("RUST_LOG", "info")],
    )
}

/// Writes Rialto's configuration; the file's name.
fn write_config(place: &Place, members: &[&Member], settings: &Settings) -> String {
    let file = place.directory.join("rialto.toml");
    std::fs::write(&file, rialto_config(place, members, settings)).expect("Rialto's configuration");
    file.display().to_string()
}

fn rialto_config(place: &Place, members: &[&Member], settings: &Settings) -> String {
    let socket = place.directory.join("rialto.sock").display().to_string();
    let mut text = format!(
        "[server]\nasn = {SERVER_ASN}\nrouter_id = \"{SERVER_V4}\"\nlisten = [\"{SERVER_V4}:179\", \"[{SERVER_V6}]:179\"]\n\
         [cores]\nsessions = 1\nshards = 2\n[api]\nlisten = \"127.0.0.1:8179\"\n[control]\nsocket = \"{socket}\"\n\
         [defaults]\npassive = true\n[defaults.import]\npreset = \"exchange\"\n"
    );
    text += &settings.sections;
    text.push('\n');
    for member in members {
        for family in &member.sessions {
            let name = member.session(*family);
            let address = match family {
                4 => IpAddr::from(member.place.v4),
                _ => member.place.v6.into(),
            };
            write!(
                text,
                "[[client]]\nasn = {}\naddress = \"{address}\"\nname = \"{name}\"\n",
                member.asn
            )
            .unwrap();
            if member.add_path {
                text += "add_path = true\n";
            }
            if let Some(key) = &member.password {
                let file = place.directory.join(format!("key-{name}"));
                std::fs::write(&file, format!("{key}\n")).expect("a file for the key");
                writeln!(text, "password_file = \"{}\"", file.display()).unwrap();
            }
            if let Some(lines) = settings.clients.get(&name) {
                text += lines;
            }
        }
    }
    text
}

fn start_bird(place: &Place, members: &[&Member]) -> Program {
    let mut text = format!("router id {SERVER_V4};\nprotocol device {{}}\n");
    for member in members {
        let addresses = [
            (4, SERVER_V4.to_string(), member.place.v4.to_string()),
            (6, SERVER_V6.to_string(), member.place.v6.to_string()),
        ];
        for (family, local, remote) in addresses {
            let add_path = if member.add_path {
                "add paths tx; "
            } else {
                ""
            };
            let password = member
                .password
                .as_ref()
                .map(|key| format!("password \"{key}\"; "))
                .unwrap_or_default();
            writeln!(
                text,
                "protocol bgp client{}_{family} {{ local {local} as {SERVER_ASN}; rs client; passive; \
                 neighbor {remote} as {}; {password}ipv{family} {{ import all; export all; {add_path}}}; }}",
                member.number, member.asn
            )
            .unwrap();
        }
    }
    let config = place.directory.join("bird.conf");
    std::fs::write(&config, text).expect("the configuration of BIRD as route server");
    let control = place.directory.join("bird.ctl").display().to_string();
    Program::start(
        place,
        "bird-server",
        &[
            "bird",
            "-f",
            "-c",
            &config.display().to_string(),
            "-s",
            &control,
        ],
        &[],
    )
}

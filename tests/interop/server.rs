//! The route server of a test: Rialto, or BIRD in its place to prove the harness itself.

use std::fmt::Write;
use std::time::Duration;

use rialto::manage::view::{ClientView, ClientsView};

use super::lan::{Lan, Place, run_in};
use super::member::{Member, SERVER_ASN, SERVER_V4, SERVER_V6};
use super::program::{Program, wait_for};

pub struct Server {
    pub program: Program,
    pub place: Place,
}

/// `RIALTO_INTEROP_SERVER=bird` puts BIRD in Rialto's place.
pub fn is_rialto() -> bool {
    std::env::var("RIALTO_INTEROP_SERVER").map_or(true, |name| name != "bird")
}

impl Server {
    pub fn start(lan: &mut Lan, members: &[&Member]) -> Server {
        let place = lan.join("server", SERVER_V4, SERVER_V6);
        let program = if is_rialto() {
            start_rialto(&place, members)
        } else {
            start_bird(&place, members)
        };
        let mut server = Server { program, place };
        let namespace = server.place.namespace.clone();
        wait_for(
            "the route server to listen",
            Duration::from_secs(20),
            || {
                if server.program.has_ended() {
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
        server
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
        let text = self.rialto(&["show", "clients", "--json"])?;
        let mut shown: ClientsView =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        shown.clients.retain(wanted);
        Ok(shown
            .clients
            .into_iter()
            .map(|client| client.name)
            .collect())
    }

    /// Words of the `rialto` command, asked in the server's namespace.
    pub fn rialto(&self, words: &[&str]) -> Result<String, String> {
        run_in(
            &self.place.namespace,
            &[&[env!("CARGO_BIN_EXE_rialto")], words].concat(),
        )
    }
}

fn start_rialto(place: &Place, members: &[&Member]) -> Program {
    let config = place.directory.join("rialto.toml");
    std::fs::write(&config, rialto_config(place, members)).expect("Rialto's configuration");
    let config = config.display().to_string();
    let rialto = env!("CARGO_BIN_EXE_rialto");
    Program::start(
        place,
        "rialto",
        &[rialto, "run", "--config", &config],
        &[("RUST_LOG", "info")],
    )
}

fn rialto_config(place: &Place, members: &[&Member]) -> String {
    let socket = place.directory.join("rialto.sock").display().to_string();
    let mut text = format!(
        "[server]\nasn = {SERVER_ASN}\nrouter_id = \"{SERVER_V4}\"\nlisten = [\"{SERVER_V4}:179\", \"[{SERVER_V6}]:179\"]\n\
         [cores]\nsessions = 1\nshards = 2\n[api]\nlisten = \"127.0.0.1:8179\"\n[control]\nsocket = \"{socket}\"\n\
         [defaults]\npassive = true\n[defaults.import]\npreset = \"exchange\"\n"
    );
    for member in members {
        for (family, address) in [
            (4, member.place.v4.to_string()),
            (6, member.place.v6.to_string()),
        ] {
            let name = member
                .place
                .directory
                .file_name()
                .expect("a name")
                .display();
            write!(
                text,
                "[[client]]\nasn = {}\naddress = \"{address}\"\nname = \"{name}-{family}\"\n",
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

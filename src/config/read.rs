//! From files to a [`Config`]: the sections, each of which stands in one file, and the clients of
//! all files.

use std::cell::RefCell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use crate::base::Asn;
use crate::policy::{ControlScheme, SchemeOptions};
use crate::rib::MedMode;
use crate::server::exchange::{FanoutLimits, Startup};

use super::check::{self, Asked};
use super::client::{self, ForClients};
use super::effects::{self, Alias};
use super::export::{self, Blackhole};
use super::feeds::{self, RpkiFeed};
use super::irr::IrrFeed;
use super::lists::{self, Lists};
use super::looking_glass::LookingGlass;
use super::model::{Attributes, Config, Cores, FixedPlaces, Log, LogFormat, Server};
use super::monitoring::{CollectorConfig, MrtConfig};
use super::options::{AttributeOptions, Options};
use super::problem::{Place, Problems};
use super::reader::{Entry, Reader};
use super::reload::ReloadLimits;
use super::source::Source;

const BGP_PORT: u16 = 179;

/// More threads of one kind than this help nobody.
const CORES_MAX: u16 = 64;

/// Threads of each kind where `[cores]` does not say.
const CORES_UNASKED_MAX: u16 = 8;

/// Reads a configuration and all that it includes. The problems are all there are, warnings among
/// them; without an error the warnings are in [`Config::warnings`].
pub fn load(file: &Path) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    match Source::read(file, None, &mut problems) {
        Some(source) => assemble(source, problems),
        None => Err(problems),
    }
}

/// Reads a configuration that is in memory, as if it stood in `file`.
pub fn from_text(file: &Path, text: &str) -> Result<Config, Problems> {
    assemble(
        Source {
            file: file.to_owned(),
            text: text.to_owned(),
        },
        Problems::default(),
    )
}

fn assemble(first: Source, mut problems: Problems) -> Result<Config, Problems> {
    // Its syntax errors are told below, when all files are parsed.
    let included = first.includes(&first.parse(&mut Problems::default()), &mut problems);
    let main = first.file.clone();
    let mut sources = vec![first];
    for (file, asked_at) in included.iter().filter(|(file, _)| *file != main) {
        sources.extend(Source::read(file, Some(asked_at), &mut problems));
    }
    let tables = sources
        .iter()
        .map(|source| source.parse(&mut problems))
        .collect::<Vec<_>>();
    let problems = RefCell::new(problems);
    let tops = tables
        .iter()
        .zip(&sources)
        .map(|(table, source)| Reader::top(table, source, &problems))
        .collect();
    let sections = Sections { tops };
    let config = sections.read(&problems);
    drop(sections);
    let files = sources
        .iter()
        .map(|source| source.file.clone())
        .collect::<Vec<_>>();
    let mut problems = problems.into_inner();
    problems.sort(&files);
    if problems.has_errors() {
        Err(problems)
    } else {
        Ok(Config {
            files,
            warnings: problems,
            ..config
        })
    }
}

/// The top tables of all files, the named one first.
struct Sections<'a> {
    tops: Vec<Reader<'a>>,
}

impl<'a> Sections<'a> {
    fn main(&self) -> &Reader<'a> {
        &self.tops[0]
    }

    /// A section, from the one file that has it.
    fn section(&self, name: &'static str) -> Option<Reader<'a>> {
        let mut found: Option<Reader<'a>> = None;
        for top in &self.tops {
            let Some(section) = top.table(name) else {
                continue;
            };
            match &found {
                None => found = Some(section),
                Some(first) => {
                    let Place { file, line } = first.place();
                    section.error(
                        format!("stands in {}:{line} already", file.display()),
                        "keep one of the two",
                    );
                }
            }
        }
        found
    }

    /// What is wrong has been told, and something stands in its place so that the rest is read too.
    fn read(&self, problems: &RefCell<Problems>) -> Config {
        let (server, listen, is_listen_whole) = self.server();
        let cores = cores(self.section("cores"));
        let api = api(self.section("api"), self.main());
        let control = control(self.section("control"), self.main());
        let log = log(self.section("log"));
        let communities = self.section("communities");
        let communities = communities.map(|reader| export::communities(&reader));
        let (scheme, obeys_well_known) = communities.unwrap_or_default();
        let blackhole = Blackhole::read(self.section("blackhole"));
        let lists = Lists::read(self.section("lists"));
        let irr = IrrFeed::read(self.section("irr"), self.main());
        let rpki = RpkiFeed::read(self.section("rpki"));
        let startup = startup(self.section("startup"));
        let fanout = fanout(self.section("fanout"));
        let reload = ReloadLimits::read(self.section("reload"));
        let looking_glass = LookingGlass::read(self.section("looking_glass"));
        let mrt = MrtConfig::read(self.section("mrt"));
        let collectors = self.tops.iter().flat_map(|top| top.tables("bmp"));
        let bmp = collectors.filter_map(CollectorConfig::read).collect();
        let defaults = self
            .section("defaults")
            .map_or_else(Options::default, |reader| {
                let options = Options::read(&reader);
                reader.finish();
                options
            });
        let for_clients = ForClients {
            attributes: server.attributes,
            obeys_well_known,
            rtts: feeds::rtts(self.section("rtt")),
            peeringdb: feeds::peeringdb_limits(self.section("peeringdb")),
        };
        let readers = self.tops.iter().flat_map(|top| top.tables("client"));
        let clients = readers
            .filter_map(|reader| client::read(reader, &defaults, &for_clients))
            .collect();
        for top in &self.tops {
            let has_include = top.entry("include");
            if let Some(entry) = has_include.filter(|_| !std::ptr::eq(top, self.main())) {
                entry.error(
                    "an included file includes no others".to_owned(),
                    "move it to the first file",
                );
            }
            top.tell_unknown();
        }
        let aliases = self.aliases(&scheme);
        let scheme = self.scheme(server.asn, scheme);
        let mut clients = client::name_all(clients);
        looking_glass.name_sessions(&mut clients);
        effects::check_aliases(&aliases, &clients, &mut problems.borrow_mut());
        let config = Config {
            files: Vec::new(),
            server,
            cores,
            api: api.iter().map(|asked| asked.address).collect(),
            control,
            log,
            scheme: scheme
                .unwrap_or_default()
                .with_blackhole_next_hops(blackhole.next_hops),
            lists,
            blackhole,
            irr,
            rpki,
            startup,
            fanout,
            reload,
            looking_glass,
            mrt,
            bmp,
            fixed: self.fixed_places(),
            clients,
            warnings: Problems::default(),
        };
        // With less than what was meant, there would be errors that are none.
        let listen = is_listen_whole.then_some(&listen[..]);
        check::check(&config, listen, &api, &mut problems.borrow_mut());
        if !problems.borrow().has_errors() {
            effects::check_written(&self.tops, &config, &mut problems.borrow_mut());
        }
        config
    }

    /// Where something stands that may be in any of the files.
    fn place(&self, way: &[&str]) -> Place {
        let mut found = self.tops.iter().filter_map(|top| top.place_of(way));
        found.next().unwrap_or_else(|| self.main().place().clone())
    }

    fn aliases(&self, options: &SchemeOptions) -> Vec<Alias> {
        let alias = |(number, asn): (&u16, &Asn)| Alias {
            number: *number,
            asn: *asn,
            place: self.place(&["communities", "peer_as_aliases", &number.to_string()]),
        };
        options.peer_as_aliases.iter().map(alias).collect()
    }

    fn fixed_places(&self) -> FixedPlaces {
        let place = |way: &[&str]| self.place(way);
        FixedPlaces {
            asn: place(&["server", "asn"]),
            router_id: place(&["server", "router_id"]),
            listen: place(&["server", "listen"]),
            cores: place(&["cores"]),
        }
    }

    /// With where each address that it listens on is said, and whether all of them could be read.
    fn server(&self) -> (Server, Vec<Asked>, bool) {
        let (asn, router_id) = (Asn::default(), Ipv4Addr::UNSPECIFIED);
        let all = |place: &Place| {
            [
                (Ipv4Addr::UNSPECIFIED, BGP_PORT).into(),
                (Ipv6Addr::UNSPECIFIED, BGP_PORT).into(),
            ]
            .map(|address| Asked {
                address,
                place: place.clone(),
            })
            .into()
        };
        let addresses = |listen: &[Asked]| listen.iter().map(|asked| asked.address).collect();
        let Some(reader) = self.section("server") else {
            self.main().error(
                "[server] is missing".to_owned(),
                "it needs at least asn and router_id",
            );
            let listen: Vec<Asked> = all(self.main().place());
            let server = Server {
                asn,
                router_id,
                listen: addresses(&listen),
                med: MedMode::default(),
                lan: Vec::new(),
                attributes: Attributes::default(),
            };
            return (server, listen, true);
        };
        let asn = reader.required("asn", "64500", client::asn).unwrap_or(asn);
        let router_id = reader
            .required("router_id", "\"192.0.2.254\"", read_router_id)
            .unwrap_or(router_id);
        let unread = std::cell::Cell::new(0);
        let listen = reader.list("listen", |entry| {
            let read = listen_address(entry);
            unread.set(unread.get() + usize::from(read.is_none()));
            read
        });
        if listen.as_ref().is_some_and(Vec::is_empty) && reader.is_empty_list("listen") {
            reader.error_at(
                "listen",
                "must name an address".to_owned(),
                "leave it out to listen on all",
            );
        }
        let med = [
            ("same_as", MedMode::SameAs),
            ("always", MedMode::Always),
            ("ignore", MedMode::Ignore),
        ];
        let med = reader.one_of("med", &med).unwrap_or_default();
        let lan = reader.list("lan", lists::prefix).unwrap_or_default();
        let attributes = reader
            .table("attributes")
            .map(AttributeOptions::read)
            .unwrap_or_default();
        let listen = listen.unwrap_or_else(|| all(reader.place()));
        reader.finish();
        let attributes = attributes.resolve(&AttributeOptions::default(), &Attributes::default());
        let server = Server {
            asn,
            router_id,
            listen: addresses(&listen),
            med,
            lan,
            attributes,
        };
        (server, listen, unread.get() == 0)
    }

    fn scheme(&self, asn: Asn, options: SchemeOptions) -> Option<ControlScheme> {
        ControlScheme::new(asn, &options)
            .map_err(|errors| {
                let Some(section) = self.section("communities") else {
                    return;
                };
                for error in errors {
                    section.error_at(error.key(), error.to_string(), "");
                }
            })
            .ok()
    }
}

fn listen_address(entry: &Entry<'_>) -> Option<Asked> {
    let place = entry.place();
    let text = entry.value().as_str();
    let address = match text.and_then(|text| text.parse().ok()) {
        Some(address) => {
            warn_of_port(entry, text.unwrap_or_default());
            SocketAddr::new(address, BGP_PORT)
        }
        None => entry
            .parsed("an address and port such as \"192.0.2.1:179\" or \"[2001:db8::1]:179\"")?,
    };
    Some(Asked { address, place })
}

/// An IPv6 address may end like one with a port.
fn warn_of_port(entry: &Entry<'_>, text: &str) {
    let Some((address, "179")) = text.rsplit_once(':') else {
        return;
    };
    if address.parse::<Ipv6Addr>().is_ok() {
        let what = format!("{text} is an address without a port, of which 179 is the end");
        entry.warning(what, &format!("did you mean \"[{address}]:179\"?"));
    }
}

fn read_router_id(entry: &Entry<'_>) -> Option<Ipv4Addr> {
    let router_id: Ipv4Addr = entry.parsed("an IPv4 address, such as \"192.0.2.1\"")?;
    if router_id.is_unspecified() {
        return entry.expected("a router identifier other than 0.0.0.0 (RFC 6286)");
    }
    Some(router_id)
}

fn cores(reader: Option<Reader<'_>>) -> Cores {
    let cpu_count =
        available_parallelism().map_or(1, |count| count.get().min(usize::from(u16::MAX)) as u16);
    let half = (cpu_count / 2).clamp(1, CORES_UNASKED_MAX);
    let Some(reader) = reader else {
        return Cores {
            sessions: half,
            shards: half,
        };
    };
    let cores = Cores {
        sessions: reader.integer("sessions", 1..=CORES_MAX).unwrap_or(half),
        shards: reader.integer("shards", 1..=CORES_MAX).unwrap_or(half),
    };
    reader.finish();
    cores
}

fn api(reader: Option<Reader<'_>>, main: &Reader<'_>) -> Vec<Asked> {
    let usual = |place: &Place| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8179));
        let place = place.clone();
        vec![Asked { address, place }]
    };
    let Some(reader) = reader else {
        return usual(main.place());
    };
    let listen = reader.list("listen", |entry| {
        let address = entry.parsed("an address and port such as \"127.0.0.1:8179\"")?;
        let place = entry.place();
        Some(Asked { address, place })
    });
    let listen = listen.unwrap_or_else(|| usual(reader.place()));
    reader.finish();
    listen
}

fn control(reader: Option<Reader<'_>>, main: &Reader<'_>) -> PathBuf {
    let usual = main.source().folder().join("rialto.sock");
    let Some(reader) = reader else { return usual };
    let socket = reader.string("socket").map(|(name, entry)| {
        // sun_path of Linux, with its final zero.
        if name.is_empty() || name.len() > 107 {
            entry.error(
                format!(
                    "a socket's name has 1 to 107 octets, this one {}",
                    name.len()
                ),
                "",
            );
        }
        reader.source().folder().join(name)
    });
    reader.finish();
    socket.unwrap_or(usual)
}

fn log(reader: Option<Reader<'_>>) -> Log {
    let mut log = Log {
        format: LogFormat::Human,
        level: "info".to_owned(),
    };
    let Some(reader) = reader else { return log };
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    log.format = reader.one_of("format", &formats).unwrap_or_default();
    if let Some((level, entry)) = reader.string("level") {
        let remedy = "write \"info\" or \"rialto=debug,info\"";
        match tracing_subscriber::EnvFilter::try_new(level) {
            Ok(_) => match no_level(level) {
                None => log.level = level.to_owned(),
                Some(word) => entry.error(format!("'{word}' is no level"), remedy),
            },
            Err(error) => entry.error(format!("'{level}' is no level: {error}"), remedy),
        }
    }
    reader.finish();
    log
}

/// The first word that a filter would take for the name of a module, and so silence all others.
fn no_level(level: &str) -> Option<&str> {
    let mut words = level.split(',').map(str::trim);
    words.find(|word| {
        !word.contains(['=', '[', '{', '}'])
            && word
                .parse::<tracing_subscriber::filter::LevelFilter>()
                .is_err()
    })
}

fn startup(reader: Option<Reader<'_>>) -> Startup {
    let usual = Startup::default();
    let Some(reader) = reader else { return usual };
    let startup = Startup {
        wait: reader.bool("wait").unwrap_or(usual.wait),
        quiet: reader
            .integer("quiet_ms", 1..=600_000)
            .map_or(usual.quiet, |ms: u32| Duration::from_millis(ms.into())),
        wait_max: reader
            .integer("wait_max_s", 1..=3600)
            .map_or(usual.wait_max, |s: u32| Duration::from_secs(s.into())),
    };
    reader.finish();
    startup
}

fn fanout(reader: Option<Reader<'_>>) -> FanoutLimits {
    let usual = FanoutLimits::default();
    let Some(reader) = reader else { return usual };
    let octets = |key, usual: usize| {
        reader
            .integer(key, 65_536..=u32::MAX)
            .map_or(usual, |octets| octets as usize)
    };
    let micros = |key, usual| {
        reader
            .integer(key, 0..=10_000_000)
            .map_or(usual, |us: u32| Duration::from_micros(us.into()))
    };
    let limits = FanoutLimits {
        core_octets_max: octets("core_octets_max", usual.core_octets_max),
        stalled_octets_max: octets("stalled_octets_max", usual.stalled_octets_max),
        stall: reader
            .integer("stall_ms", 1..=600_000)
            .map_or(usual.stall, |ms: u32| Duration::from_millis(ms.into())),
        gather_min: micros("gather_min_us", usual.gather_min),
        gather_max: micros("gather_max_us", usual.gather_max),
        ..usual
    };
    if limits.gather_min > limits.gather_max {
        reader.error_at(
            "gather_min_us",
            "is longer than gather_max_us".to_owned(),
            "",
        );
    }
    reader.finish();
    limits
}

//! `rialto demo`: a route server as a process of its own on loopback, synthetic clients with a full
//! table in this one, and a table of what happened that needs no knowledge of BGP's corners.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::args::{DemoArgs, Families, LoadArgs, Scenario};
use super::output;
use super::progress::Progress;
use super::report::{Report, grouped};
use super::swarm::Swarm;
use super::templates::{self, Daemon};
use super::{LoadError, drive_on, make_plan};
use crate::base::{Family, text};

/// How long the server may take to answer its API.
const START_S: u64 = 10;

/// Where everything of one demonstration is.
struct Place {
    folder: PathBuf,
    bgp: SocketAddr,
    api: SocketAddr,
}

/// What must be gone when the demonstration ends, whether by itself or by a signal.
struct Remains {
    folder: PathBuf,
    server: Mutex<Option<Child>>,
    /// It runs until a signal comes, which is then no failure.
    serving: AtomicBool,
    over: AtomicBool,
}

impl Remains {
    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clear(&self) {
        if let Some(mut child) = self.server().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The server, ended when this goes.
struct Server {
    remains: Arc<Remains>,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.remains.clear();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `rialto demo`. `server` is the command that runs a route server with the configuration file
/// that is put after its words: this binary and `run --config`. Returns whether all was right.
pub fn run(
    args: &DemoArgs,
    server: impl FnOnce() -> io::Result<Command>,
) -> Result<bool, LoadError> {
    let place = Place::new()?;
    let remains = Arc::new(Remains {
        folder: place.folder.clone(),
        server: Mutex::new(None),
        serving: AtomicBool::new(false),
        over: AtomicBool::new(false),
    });
    heed_signals(remains.clone())?;
    let mut load = load_args(args, place.bgp);
    let plan = make_plan(&load)?;
    let config = place.folder.join("rialto.toml");
    fs::write(
        &config,
        templates::configuration(&plan, Daemon::Rialto, place.bgp, &load.outside) + &place.tail(),
    )?;
    if !args.json {
        output::print(&opening(args, &plan));
    }
    let server = Server::start(server()?, &config, &place, remains)?;
    load.server_pid = server.remains.server().iter().map(Child::id).collect();
    let counts = Family::ALL.map(|family| {
        plan.prefixes
            .iter()
            .filter(|prefix| prefix.family() == family)
            .count()
    });
    let (mut swarm, report) = drive_on(plan, &load, &Progress::new(args.json))?;
    match args.json {
        true => output::print(&report.json()?),
        false => output::print(&story(&report, counts)),
    }
    if !report.ok {
        output::tell(&format!(
            "{}\nThe server's log:\n{}\n",
            report.table(),
            server.log_tail()
        ));
    } else if args.serve {
        serve(&place, &mut swarm, &server, args.json)?;
    } else if !args.json {
        output::print(what_next());
    }
    swarm.stop_all();
    Ok(report.ok)
}

/// The server of the demonstration: this very binary.
pub fn this_binary() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["run", "--config"]);
    Ok(command)
}

fn load_args(args: &DemoArgs, target: SocketAddr) -> LoadArgs {
    LoadArgs {
        target,
        clients: args.clients,
        prefixes: Some(args.prefixes),
        family: Some(Families::Both),
        scenario: Scenario::Tour,
        seed: args.seed,
        timeout: args.timeout,
        duration: 3,
        rate: 300,
        settle: 700,
        ..LoadArgs::defaults()
    }
}

impl Place {
    fn new() -> io::Result<Place> {
        let folder = own_folder()?;
        Ok(Place {
            folder,
            bgp: free_port()?,
            api: free_port()?,
        })
    }

    fn tail(&self) -> String {
        let socket = self.folder.join("rialto.sock");
        format!(
            "[api]\nlisten = \"{}\"\n\n[control]\nsocket = \"{}\"\n",
            self.api,
            socket.display()
        )
    }
}

/// A folder that nobody else has or may look into.
fn own_folder() -> io::Result<PathBuf> {
    let parent = std::env::temp_dir();
    let made = (0..100).find_map(|attempt| {
        let name = format!("rialto-demo-{}-{attempt}", std::process::id());
        let folder = parent.join(name);
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => Some(Ok(folder)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => Some(Err(error)),
        }
    });
    let taken = || Err(io::ErrorKind::AlreadyExists.into());
    made.unwrap_or_else(taken).map_err(|error| {
        let why = format!(
            "cannot make a folder in {}: {error}; name another place with the variable TMPDIR",
            parent.display()
        );
        io::Error::other(why)
    })
}

fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

impl Server {
    /// Begins it, and waits until its API can be reached.
    fn start(
        mut command: Command,
        config: &Path,
        place: &Place,
        remains: Arc<Remains>,
    ) -> Result<Server, LoadError> {
        let log = place.folder.join("rialto.log");
        let out = fs::File::create(&log)?;
        command
            .arg(config)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        *remains.server() = Some(command.spawn()?);
        let server = Server { remains, log };
        for _ in 0..START_S * 50 {
            if server.has_ended()? {
                return Err(io::Error::other(format!(
                    "the route server ended at once:\n{}",
                    server.log_tail()
                ))
                .into());
            }
            if TcpStream::connect(place.api).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::other(format!(
            "the route server does not answer:\n{}",
            server.log_tail()
        ))
        .into())
    }

    fn has_ended(&self) -> io::Result<bool> {
        match self.remains.server().as_mut() {
            Some(child) => Ok(child.try_wait()?.is_some()),
            None => Ok(true),
        }
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

fn opening(args: &DemoArgs, plan: &super::plan::Plan) -> String {
    format!(
        "A route server lets many networks at an exchange swap routes over one BGP\n\
         session each. This starts one on loopback with {} synthetic networks that\n\
         announce {} routes to {} prefixes.\n",
        args.clients,
        grouped(plan.route_count()),
        grouped(plan.prefixes.len()),
    )
}

/// What happened, for someone who has never run a route server.
fn story(report: &Report, [v4, v6]: [usize; 2]) -> String {
    let mut rows: Vec<(&str, String)> = vec![
        (
            "Sessions",
            format!(
                "{} of {} BGP sessions up",
                report.established, report.clients
            ),
        ),
        (
            "Table",
            format!(
                "{} IPv4 and {} IPv6 prefixes, {} routes",
                grouped(v4),
                grouped(v6),
                grouped(report.routes)
            ),
        ),
        (
            "Delivered",
            format!(
                "{} routes and {} withdrawals, {:.1} MB",
                grouped(report.announced_in),
                grouped(report.withdrawn_in),
                report.octets_in as f64 / 1e6
            ),
        ),
        (
            "In",
            format!(
                "{} UPDATE messages, {:.1} prefixes in each",
                grouped(report.updates_in),
                (report.announced_in + report.withdrawn_in) as f64
                    / report.updates_in.max(1) as f64
            ),
        ),
    ];
    for step in &report.steps {
        let took = step.took_s.map_or("-".into(), |s| format!("{s:.2} s"));
        let verdict = if step.right {
            "every table is right"
        } else {
            "NOT right"
        };
        rows.push(("", format!("{}: {took}, {verdict}", step.name)));
    }
    if let Some(latency) = &report.latency {
        rows.push((
            "Latency",
            format!(
                "a change reaches the others in {:.1} ms (median), {:.1} ms (99 of 100)",
                latency.p50, latency.p99
            ),
        ));
    }
    if let Some(server) = &report.server_usage {
        rows.push((
            "Cost",
            format!(
                "{:.1} CPU seconds, {:.0} MB of memory at the peak (the server alone)",
                server.cpu_s,
                server.memory_peak as f64 / 1e6
            ),
        ));
    }
    let verified = match report.ok {
        true => format!(
            "all {} tables, {} routes: each is the best one its network may have",
            report.established,
            grouped(report.routes_held)
        ),
        false => format!(
            "{} prefixes of {} networks are WRONG",
            grouped(report.wrong_prefixes),
            report.wrong_clients
        ),
    };
    rows.push(("Verified", verified));
    let mut out = String::from("\nWhat happened\n");
    for (name, value) in rows {
        out += &text::row(&format!("  {name}"), &value, 13);
    }
    out
}

fn what_next() -> &'static str {
    "\nWhat next\n  \
     rialto demo --serve          keep it running and look around with rialto show\n  \
     rialto check --config FILE   see what is wrong with a configuration\n  \
     rialto run --config FILE     run a route server\n"
}

/// Until interrupted, the clients and the server stay as they are.
fn serve(place: &Place, swarm: &mut Swarm, server: &Server, json: bool) -> Result<(), LoadError> {
    let api = place.api;
    // Standard output is one JSON document then.
    let tell = if json { output::tell } else { output::print };
    tell(&format!(
        "\nIt keeps running; Ctrl-C ends it. Its looking glass is at http://{api}/\nIn another terminal:\n  \
         rialto show summary --api {api}\n  rialto show client AS10000-1 --api {api}\n  \
         rialto explain {} --to AS10001-1 --api {api}\n  curl http://{api}/metrics\n",
        swarm.plan.prefixes[0],
    ));
    let remains = &server.remains;
    remains.serving.store(true, Ordering::SeqCst);
    while !remains.over.load(Ordering::SeqCst) {
        swarm.turn(Duration::from_millis(50))?;
        if server.has_ended()? {
            // Ctrl-C goes to the server too.
            std::thread::sleep(Duration::from_millis(100));
            if remains.over.load(Ordering::SeqCst) {
                break;
            }
            return Err(io::Error::other(format!(
                "the route server ended:\n{}",
                server.log_tail()
            ))
            .into());
        }
    }
    Ok(())
}

/// From here on SIGINT, SIGTERM and SIGHUP leave no server and no folder behind.
fn heed_signals(remains: Arc<Remains>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(entered);
    std::thread::spawn(move || {
        let kind = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
                _ = hangup.recv() => SignalKind::hangup(),
            }
        });
        remains.over.store(true, Ordering::SeqCst);
        if !remains.serving.load(Ordering::SeqCst) {
            remains.clear();
            // As a shell says it.
            std::process::exit(128 + kind.as_raw_value());
        }
    });
    Ok(())
}

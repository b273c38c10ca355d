//! The command line: its words, and what each command does. Exit status 0: done and well; 1: it ran
//! and something is wrong; 2: the words are.

mod args;
mod check;
mod clients;
mod control;
mod diff;
mod drain;
mod feeds;
mod fetch;
mod hijacks;
mod import;
mod looks;
mod paint;
mod rehearsal;
mod report;
mod run;
mod show;
mod table;
mod trace;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use fetch::FetchError;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Well,
    Wrong,
}

/// Does what the command line says. Wrong words end the process with status 2.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args).into(),
        Command::Check(args) => check::check(&args).into(),
        Command::Import(from) => import::import(&from).into(),
        Command::Show(args) => told(show::show(&args.what)),
        Command::Report(args) => told(report::report(&args)),
        Command::Diff(args) => told(diff::diff(&args)),
        Command::Explain(args) => told(show::explain(&args)),
        Command::Reload(args) => told(control::reload(&args)),
        Command::Drain(args) => told(drain::drain(&args)),
        Command::Dump(control) => told(control::dump(&control)),
        Command::Stop(args) => told(control::stop(&args)),
        Command::Client(args) => told(control::client(&args)),
        Command::Load(args) => loaded("load", crate::load::run(&args)),
        Command::Demo(args) => loaded(
            "demo",
            crate::load::demo::run(&args, || {
                let mut server = crate::load::demo::this_binary()?;
                crate::runtime::end_with_parent(&mut server);
                Ok(server)
            }),
        ),
    }
}

fn told(result: Result<Outcome, FetchError>) -> ExitCode {
    let outcome = result.unwrap_or_else(|error| {
        eprintln!("rialto: {error}");
        Outcome::Wrong
    });
    outcome.into()
}

fn loaded(command: &str, result: Result<bool, crate::load::LoadError>) -> ExitCode {
    match result {
        Ok(true) => Outcome::Well.into(),
        Ok(false) => Outcome::Wrong.into(),
        Err(error) => {
            eprintln!("rialto {command}: {error}");
            error.exit_code().into()
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Well => ExitCode::SUCCESS,
            Outcome::Wrong => ExitCode::FAILURE,
        }
    }
}

/// To standard output; a reader that has gone away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// "1 client", "2 clients".
fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

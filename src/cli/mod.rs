//! The command line: its words, and what each command does. Exit status 0: done and well; 1: it ran
//! and something is wrong; 2: the words are.

mod args;
mod check;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Well,
    Wrong,
}

/// Does what the command line says. Wrong words end the process with status 2.
pub fn main() -> ExitCode {
    match dispatch(Cli::parse()) {
        Outcome::Well => ExitCode::SUCCESS,
        Outcome::Wrong => ExitCode::FAILURE,
    }
}

fn dispatch(cli: Cli) -> Outcome {
    match cli.command {
        Command::Check(args) => check::check(&args),
        _ => Outcome::Wrong,
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

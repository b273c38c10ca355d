use clap::Parser;
#[derive(Parser)]
struct Cli { #[command(flatten)] args: rialto::load::args::LoadArgs }
fn main() -> std::process::ExitCode {
    match rialto::load::run(&Cli::parse().args) {
        Ok(true) => 0.into(), Ok(false) => 1.into(),
        Err(e) => { eprintln!("{e}"); e.exit_code().into() }
    }
}

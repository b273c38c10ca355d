//! Log lines, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Sets logging up for the process; RUST_LOG is stronger than `level`. A second call changes nothing.
pub fn start(format: LogFormat, level: &str) {
    let filter = match std::env::var("RUST_LOG") {
        Ok(asked) if !asked.is_empty() => EnvFilter::try_new(asked),
        _ => EnvFilter::try_new(level),
    };
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log that nobody reads any more must not end the server: it would say so on the log.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // It fails only where logging is set up already.
    let _ = match format {
        LogFormat::Human => builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

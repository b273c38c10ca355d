//! Import verdicts, control communities and audiences, through their public doors; and that the
//! simulation's oracle says the same, which shares no code with them.

mod audiences;
mod blackhole;
mod checks;
mod due;
mod export;
mod forms;
mod import;
mod import_cases;
#[path = "../sim/oracle/mod.rs"]
mod oracle;
mod oracle_agrees;
mod oracle_cases;
mod outside;
mod scheme;
mod scrubs;
mod tags;
mod world;
